// What the compiler calls in code built with -fsanitize=thread. The program is not linked to the sanitizer's runtime:
// these few functions take its place and tell the machine of every load and store of a kernel.

#include <cstddef>
#include <cstring>

#include "kernels/simt/emulator/machine.h"

namespace {

using cudacards::emulator::Access;
using cudacards::emulator::Machine;

inline void touch(const void* address, std::size_t bytes, Access access, const void* caller) {
  Machine& machine = Machine::instance();
  if (machine.in_kernel()) machine.access(address, bytes, access, caller);
}

}  // namespace

#define CALLER __builtin_return_address(0)
#define CUDACARDS_TSAN_ACCESS(bytes)                                                                \
  void __tsan_read##bytes(void* p) { touch(p, bytes, Access::kRead, CALLER); }                      \
  void __tsan_write##bytes(void* p) { touch(p, bytes, Access::kWrite, CALLER); }                    \
  void __tsan_unaligned_read##bytes(void* p) { touch(p, bytes, Access::kRead, CALLER); }            \
  void __tsan_unaligned_write##bytes(void* p) { touch(p, bytes, Access::kWrite, CALLER); }          \
  void __tsan_volatile_read##bytes(void* p) { touch(p, bytes, Access::kRead, CALLER); }             \
  void __tsan_volatile_write##bytes(void* p) { touch(p, bytes, Access::kWrite, CALLER); }           \
  void __tsan_unaligned_volatile_read##bytes(void* p) { touch(p, bytes, Access::kRead, CALLER); }   \
  void __tsan_unaligned_volatile_write##bytes(void* p) { touch(p, bytes, Access::kWrite, CALLER); } \
  void __tsan_read_write##bytes(void* p) {                                                          \
    touch(p, bytes, Access::kRead, CALLER);                                                         \
    touch(p, bytes, Access::kWrite, CALLER);                                                        \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
CUDACARDS_TSAN_ACCESS(1)
CUDACARDS_TSAN_ACCESS(2)
CUDACARDS_TSAN_ACCESS(4)
CUDACARDS_TSAN_ACCESS(8)
CUDACARDS_TSAN_ACCESS(16)
void __tsan_read_range(void* p, std::size_t bytes) { touch(p, bytes, Access::kRead, CALLER); }
void __tsan_write_range(void* p, std::size_t bytes) { touch(p, bytes, Access::kWrite, CALLER); }
void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  touch(from, bytes, Access::kRead, CALLER);
  touch(to, bytes, Access::kWrite, CALLER);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  touch(from, bytes, Access::kRead, CALLER);
  touch(to, bytes, Access::kWrite, CALLER);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, std::size_t bytes) {
  touch(to, bytes, Access::kWrite, CALLER);
  return std::memset(to, value, bytes);
}

}  // extern "C"
