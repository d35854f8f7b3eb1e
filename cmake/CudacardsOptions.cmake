option(CUDACARDS_NATIVE "Compile for this machine's processor (-march=native)" ON)
option(CUDACARDS_BUILD_TESTS "Build the tests" ON)
option(CUDACARDS_BUILD_BENCH "Build the benchmarks" OFF)
option(CUDACARDS_WERROR "Treat warnings as errors (continuous integration does)" OFF)
option(CUDACARDS_IMGCODECS "Read PNG, WebP, ... besides JPEG, where OpenCV's imgcodecs is installed" ON)
option(CUDACARDS_EMULATOR "Build the emulator of the CUDA kernels, where what it needs is installed" ON)
option(CUDACARDS_BUNDLE "Look for shared libraries in ../lib beside the programs' folder (tools/make_gpu_bundle.py)" OFF)
set(CUDACARDS_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them (address,undefined or thread)")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CUDACARDS_CCACHE ccache)
if(CUDACARDS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CUDACARDS_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CUDACARDS_CCACHE})
endif()

# The flags of every C++ target of the project, as one interface target.
add_library(cudacards_flags INTERFACE)
target_include_directories(cudacards_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(cudacards_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wno-unknown-pragmas -Wno-missing-field-initializers>
  # Results must not depend on how the compiler groups a product and a sum: the reference, the kernels' twins and two
  # builds of the same source give the same bytes.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>
  # Nobody reads errno after a square root; without this none is vectorised (the optimizer halves its speed).
  $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of GCC 12 in std::string's operator+ (GCC bug 105651).
  target_compile_options(cudacards_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(CUDACARDS_WERROR)
  target_compile_options(cudacards_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(CUDACARDS_NATIVE)
  target_compile_options(cudacards_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()
if(CUDACARDS_SANITIZE)
  target_compile_options(cudacards_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${CUDACARDS_SANITIZE} -fno-omit-frame-pointer -g>)
  target_link_options(cudacards_flags INTERFACE -fsanitize=${CUDACARDS_SANITIZE})
endif()
if(CUDACARDS_BUNDLE)
  # CMake's own variable: in a linker's option the shell takes the dollar for its own.
  set(CMAKE_BUILD_RPATH "$ORIGIN/../lib")
  # The old tag: it holds for the libraries of the libraries too.
  target_link_options(cudacards_flags INTERFACE LINKER:--disable-new-dtags)
endif()
