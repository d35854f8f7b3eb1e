#pragma once
// A pool's two plans, for pools that are nodes and for those behind a convolution.

#include <memory>

#include "host/ops/operation.h"
#include "host/ops/vendor/cudnn/plan.h"
#include "kernels/pool/problem.h"

namespace cudacards::cudnn {

enum class PoolKind : std::uint8_t { kMax, kGlobalAverage };

class PoolPlans {
 public:
  /// `problem`: types, training and whether diff_src is wanted. Throws Refused.
  PoolPlans(const Pool2dProblem& pool, PoolKind kind, const Problem& problem);

  std::size_t workspace() const { return workspace_bytes_; }
  /// Bytes that forward keeps for backward.
  std::size_t index_bytes() const;

  void forward(const void* src, void* dst, void* index, void* workspace, Stream stream) const;
  /// diff_src is overwritten.
  void backward(const void* diff_dst, const void* index, void* diff_src, void* workspace, Stream stream) const;

 private:
  const Pool2dProblem pool_;
  const PoolKind kind_;
  const DType type_;
  bool keeps_index_ = false;
  std::shared_ptr<const Plan> forward_, backward_;
  std::size_t workspace_bytes_ = 0;
};

/// The window that is the picture.
Pool2dProblem whole_picture(const Shape& src);

}  // namespace cudacards::cudnn
