#pragma once
// launch() of kernels/simt/launch.h on the emulator.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/base/status.h"
#include "kernels/simt/emulator/language.h"

namespace cudacards::emulator {

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  std::uint64_t problem = 0;  // a hash that tells launches of different problems apart
};

/// Runs `call(context)` as every thread of the grid; `kernel` is the address that names it. While a capture is on,
/// keeps the `context_bytes` bytes of the context for its replays instead.
Status run_grid(const Grid& grid, const void* kernel, void (*call)(void*), void* context, std::size_t context_bytes);

/// The kernel with the values of its parameters. They live on the launching thread's stack, which kernels may read:
/// CUDA's constant parameter space.
template <class... Parameters>
struct BoundKernel {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "parameters travel to the device as bytes");
  void (*kernel)(Parameters...);
  std::tuple<Parameters...> parameters;

  static void call(void* self) {
    auto& bound = *static_cast<BoundKernel*>(self);
    std::apply(bound.kernel, bound.parameters);
  }
};

/// FNV-1a (Fowler, Noll, Vo) over the bytes of a parameter; pointers tell nothing about the problem.
template <class T>
void add_to_hash(std::uint64_t& hash, const T& value) {
  if constexpr (!std::is_pointer_v<T>) {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3ull;
  }
}

template <class... Parameters>
Status launch(void (*kernel)(Parameters...), const Grid& grid, Parameters... parameters) {
  BoundKernel<Parameters...> bound{kernel, {parameters...}};
  std::uint64_t hash = 0xcbf29ce484222325ull;
  add_to_hash(hash, grid.blocks);
  (add_to_hash(hash, parameters), ...);
  return run_grid({grid.blocks, grid.threads, grid.shared_bytes, hash}, reinterpret_cast<const void*>(kernel),
                  &BoundKernel<Parameters...>::call, &bound, sizeof(bound));
}

}  // namespace cudacards::emulator
