#pragma once
// What kernels call, by way of language.h and the headers in kernels/simt/. Plain functions of an uninstrumented file;
// where a fault has to name a line, they take the address that they return to.

#include <cstddef>
#include <cstdint>

// clang makes one call of two that stand on either side of an `else`, and its line is then nobody's; g++ is told by its
// options (cmake/CudacardsInstrument.cmake).
#ifdef __clang__
#define CUDACARDS_NO_MERGE [[clang::nomerge]]
#else
#define CUDACARDS_NO_MERGE
#endif

namespace cudacards::emulator {

struct Index3 {
  unsigned x, y, z;
};

[[gnu::const]] Index3 thread_index();
[[gnu::const]] Index3 block_index();
[[gnu::const]] Index3 block_size();
[[gnu::const]] Index3 grid_size();

/// `site` tells one barrier from another where the compiler has merged the calls.
CUDACARDS_NO_MERGE void barrier(int site);
CUDACARDS_NO_MERGE void warp_barrier(unsigned mask, int site);

void* static_shared(const void* identity, std::size_t bytes, std::size_t alignment);
void* dynamic_shared();

/// Accesses of one instruction that the compiler would split or not see. `caller` is the kernel's code.
void read_memory(const void* from, void* to, std::size_t bytes, const void* caller);
void write_memory(void* to, const void* from, std::size_t bytes, const void* caller);
void atomic_access(const void* address, std::size_t bytes, const void* caller);

/// An index outside of a register array's or vector's `size` elements.
[[noreturn]] void index_fault(int index, int size, const void* caller);

enum class Shuffle : std::uint8_t { kIndex, kUp, kDown, kXor };
std::uint32_t shuffle(Shuffle kind, unsigned mask, std::uint32_t value, int operand, int width, const void* caller);

enum class Vote : std::uint8_t { kBallot, kAll, kAny };
std::uint32_t vote(Vote kind, unsigned mask, bool value, const void* caller);
unsigned active_mask();

enum class Reduction : std::uint8_t { kAdd, kMin, kMax, kMinSigned, kMaxSigned, kAnd, kOr, kXor };
std::uint32_t reduce(Reduction kind, unsigned mask, std::uint32_t value, const void* caller);

/// T: __nv_bfloat16 or __half.
template <class T>
void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], const void* caller);
void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], const void* caller);

enum class Transposed : bool { kNo, kYes };
void ldmatrix(std::uint32_t* to, int matrices, const void* row, Transposed transposed, const void* caller);

void async_copy(void* to, const void* from, int bytes, int source_bytes, const void* caller);
void async_commit();
void async_wait(int pending_groups);

}  // namespace cudacards::emulator
