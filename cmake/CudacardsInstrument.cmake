# cudacards_instrument(FILES...): .cu files of this directory's targets are C++ for the emulator (kernels/simt/emulator).
# Indices of arrays of known size are checked too. Line tables name the faulty line. Optimisations that would change which
# accesses a thread makes, or merge two barriers into one, are off: accesses are counted as the kernel's author wrote them.
function(cudacards_instrument)
  set(flags -xc++ -g1 -fsanitize=thread -fsanitize=bounds -fno-tree-vectorize -Wno-unused-value)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND flags -Wno-tsan -fno-tree-slp-vectorize -fno-store-merging -fno-tree-loop-distribute-patterns -fno-crossjumping
      -fno-tree-tail-merge -fno-ipa-icf)
  else()
    # Without vectorisation some of the kernels' `#pragma unroll` are not followed: no fault here.
    # libdw finds the line of an address by .debug_aranges, which clang leaves out when not asked. Of `x += 1` clang reports the
    # write alone, when not asked.
    list(APPEND flags -fno-slp-vectorize -Wno-pass-failed -gdwarf-aranges -mllvm
      -tsan-instrument-read-before-write)
  endif()
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${flags}")
endfunction()
