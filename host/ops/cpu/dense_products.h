#pragma once
// The three products of a dense layer with large weights and a small batch. The fp32 master weights (units,in) cost
// more than the arithmetic: each product reads or writes them once, in place and whatever type the activations have, so
// there is no packed copy. Products and sums are fp32, and their order depends on the sizes alone: every count of
// threads gives the same bytes.

#include <cstddef>
#include <cstdint>

#include "host/ops/operation.h"
#include "kernels/base/activation.h"

namespace cudacards::cpu {

struct DenseSizes {
  std::int64_t n = 1, in = 1, units = 1;
};

/// sums (N,units) = src (N,in) * weights (units,in)^T.
class DenseForward {
 public:
  /// Slabs of `in` are what threads share.
  static std::int64_t slabs(const DenseSizes& sizes);

  DenseForward(const DenseSizes& sizes, int threads);
  std::size_t scratch_bytes() const { return carve(nullptr).bytes; }
  /// The sums lie in the scratch; row n begins at n * pitch().
  template <class S>
  const float* run(const S* src, const float* weights, void* scratch) const;
  std::int64_t pitch() const { return pitch_; }

 private:
  struct Scratch {
    float* partial;         // (parts, N rounded up to 3, units rounded up to 8)
    float* rows;            // (threads, N/3, 32, 3, 16): a slab of src
    float* ragged_weights;  // (units, 16): the last columns and zeros
    std::size_t bytes;
  };
  Scratch carve(void* scratch) const;
  std::int64_t rows_elements() const;
  std::int64_t partial_elements() const;

  template <class S>
  void add_slab(const S* src, const float* weights, std::int64_t slab, float* rows, float* ragged_weights,
                float* sums) const;
  template <class S>
  void lay_out(const S* src, std::int64_t steps, std::int64_t lanes, float* rows) const;
  template <class S>
  void multiply(const S* src, std::int64_t steps, const float* weights, std::int64_t pitch, const float* rows,
                float* sums) const;
  template <class S>
  std::uintptr_t ahead_of(const S* src, const float* weights, std::int64_t block, std::int64_t tile) const;
  void add_parts(float* partial) const;

  const DenseSizes sizes_;
  const std::int64_t threads_, slabs_, parts_, row_blocks_, pitch_;
};

/// Of a backward pass; S is the type of src and diff_src. A mode of kIgnore allows null.
template <class S>
struct DenseGradients {
  const S* src = nullptr;          // (N,in)
  const float* weights = nullptr;  // (units,in)
  S* diff_src = nullptr;           // (N,in)
  GradMode diff_src_mode = GradMode::kIgnore;
  float* diff_weights = nullptr;  // (units,in)
  float* diff_bias = nullptr;     // (units), or null without a bias
  GradMode diff_parameters_mode = GradMode::kIgnore;
};

/// diff_src (N,in) = diff (N,units) * weights; diff_weights = diff^T * src; diff_bias = the sum of diff over N. diff is
/// diff_dst where the activation let dst through, else 0.
class DenseBackward {
 public:
  DenseBackward(const DenseSizes& sizes, int threads);
  std::size_t scratch_bytes() const { return carve(nullptr).bytes; }
  /// Puts diff into the scratch for run(). Without an activation dst is not read.
  template <class D>
  void take_diff(Activation activation, const D* dst, const D* diff_dst, void* scratch) const;
  template <class S>
  void run(const DenseGradients<S>& gradients, void* scratch) const;

 private:
  struct Scratch {
    float* diff_by_row;     // (N/8, units, 8)
    float* diff_by_unit;    // (units/8, N, 8)
    float* ragged_weights;  // (units, 48): the last columns and zeros
    float* of_threads;
    std::size_t bytes;
  };
  struct ThreadScratch {
    float* sums;   // (N/8, 5, 8, 48): a slab of diff_src
    float* strip;  // (N, 48): of src
    float* tile;   // (8, 48)
    std::int64_t elements;
  };
  Scratch carve(void* scratch) const;
  ThreadScratch carve_thread(float* scratch) const;

  template <class S>
  void data_of_slab(const DenseGradients<S>& g, std::int64_t column, const Scratch& s, float* sums) const;
  template <class S>
  void weights_of_strip(const DenseGradients<S>& g, std::int64_t column, const float* diff_by_unit,
                        const ThreadScratch& mine) const;
  void bias(const float* diff_by_unit, GradMode mode, float* diff_bias) const;

  const DenseSizes sizes_;
  const std::int64_t threads_, row_blocks_, unit_blocks_;
};

}  // namespace cudacards::cpu
