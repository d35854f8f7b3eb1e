#pragma once
// Softmax over rows by cuDNN's functions of their own: its graphs have no engine for it. They need no workspace, and
// each row is summed by itself, in the same order every time.

#include <cstdint>

#include "host/ops/vendor/cudnn/descriptor.h"
#include "kernels/base/dtype.h"

namespace cudacards::cudnn {

/// A (rows, classes) tensor as those functions describe one; no GPU is needed for it. Throws Refused.
class RowsDescriptor {
 public:
  RowsDescriptor(const Functions& cudnn, DType type, std::int64_t rows, std::int64_t classes);
  ~RowsDescriptor();
  RowsDescriptor(const RowsDescriptor&) = delete;
  RowsDescriptor& operator=(const RowsDescriptor&) = delete;

  cudnnTensorDescriptor_t get() const { return descriptor_; }

 private:
  const Functions& cudnn_;
  cudnnTensorDescriptor_t descriptor_ = nullptr;
};

}  // namespace cudacards::cudnn
