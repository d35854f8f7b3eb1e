#pragma once
// What every matrix product is given: dst (m,n) = sum over k of A (m,k) * B (n,k).

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/matmul/plan.h"

namespace cudacards {

/// How an operand lies in memory, and so in shared memory too. Nothing is transposed on the way: the matrix
/// instructions and the register tiles read both.
enum class Layout : std::uint8_t {
  kDepthInner,  // (m,k) or (n,k): neighbours in memory are neighbours in k
  kDepthOuter,  // (k,m) or (k,n)
};

/// How operands are copied to shared memory.
enum class Access : std::uint8_t {
  kVector,   // 16 bytes at a time: the inner sizes are multiples of 8 in bf16, of 4 in fp32
  kElement,  // any size, one element a lane
};

/// Whether a product also sums A over k, a number for each of its m rows (the bias gradient).
enum class RowSums : bool { kNo, kYes };

/// Whether A may be the gradient behind an activation (MatmulOperands::a_results).
enum class Masked : bool { kNo, kYes };

/// What is known of a product when its kernel is compiled: one a direction of an operation.
template <Layout kALayout, Layout kBLayout, Masked kMaskedA, RowSums kRowSums, SplitK kSplitK>
struct Direction {
  static constexpr Layout kA = kALayout, kB = kBLayout;
  static constexpr Masked kMasked = kMaskedA;
  static constexpr RowSums kSums = kRowSums;
  static constexpr SplitK kSplit = kSplitK;
};

template <class T>
struct MatmulOperands {
  MatmulSize size;
  int slice_length = 0;  // of k; slice z is k = z * slice_length ...
  const T* a = nullptr;
  const T* b = nullptr;
  std::int64_t a_stride = 0, b_stride = 0;  // elements from a row in memory to the next
  // Where A is the gradient behind an activation: its results, in A's layout. A is multiplied by their derivative.
  const T* a_results = nullptr;
  Activation activation = Activation::kNone;
};

}  // namespace cudacards
