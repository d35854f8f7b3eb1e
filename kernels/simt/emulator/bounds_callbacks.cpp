// What the compiler calls in code built with -fsanitize=bounds where an index leaves an array whose size it knows: a
// thread's own arrays among them, which on a GPU are registers and here lie on the fiber's stack, where nothing else
// would notice. As with -fsanitize=thread, the program is not linked to the sanitizer's runtime.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "kernels/simt/emulator/machine.h"

namespace {

using cudacards::emulator::FaultKind;
using cudacards::emulator::Machine;

// The compiler's own layout of its argument (GCC and clang agree): where, and the types of array and index.
struct TypeDescriptor {
  std::uint16_t kind, info;
  char name[1];  // "'float [4]'"
};
struct OutOfBoundsData {
  const char* file;
  std::uint32_t line, column;
  const TypeDescriptor* array;
  const TypeDescriptor* index;
};

/// In a kernel a fault; in a launcher, which is the host's code, the end of the program.
[[noreturn]] void report(const std::string& what, const std::string& where, const void* caller) {
  Machine& machine = Machine::instance();
  if (machine.in_kernel()) machine.fault(FaultKind::kOutOfBounds, what, caller);
  std::fprintf(stderr, "%s%s\n", where.c_str(), what.c_str());
  std::abort();
}

void report(const OutOfBoundsData& data, std::uintptr_t index, const void* caller) {
  report("index " + std::to_string(static_cast<std::intptr_t>(index)) + " of " + data.array->name,
         std::string(data.file) + ":" + std::to_string(data.line) + ": ", caller);
}

}  // namespace

namespace cudacards::emulator {

void index_fault(int index, int size, const void* caller) {
  report("index " + std::to_string(index) + " of an array of " + std::to_string(size), "", caller);
}

}  // namespace cudacards::emulator

extern "C" {

void __ubsan_handle_out_of_bounds(OutOfBoundsData* data, std::uintptr_t index) {
  report(*data, index, __builtin_return_address(0));
}
void __ubsan_handle_out_of_bounds_abort(OutOfBoundsData* data, std::uintptr_t index) {
  report(*data, index, __builtin_return_address(0));
}

}  // extern "C"
