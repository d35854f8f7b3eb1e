#pragma once
// A product with the algorithm that computes it.

#include <memory>
#include <type_traits>

#include "host/ops/operation.h"
#include "host/ops/vendor/cublaslt/algorithm_choice.h"
#include "host/ops/vendor/cublaslt/library.h"
#include "host/ops/vendor/cublaslt/products.h"
#include "host/ops/vendor/making.h"

namespace cudacards::cublaslt {

using vendor::Refused;

/// Throws Refused, with the reason in words, where the problem is for no GPU, where there is no usable cuBLASLt, or
/// where this machine has no GPU to ask for algorithms.
void require_gpu(const Problem& problem);

/// The descriptors of a product, made by cuBLASLt; no GPU is needed for them. Throws Refused.
class Descriptors {
 public:
  Descriptors(const Functions& cublaslt, const Product& product);

  cublasLtMatmulDesc_t operation() const { return operation_.get(); }
  cublasLtMatrixLayout_t a() const { return a_.get(); }
  cublasLtMatrixLayout_t b() const { return b_.get(); }
  cublasLtMatrixLayout_t d() const { return d_.get(); }
  /// Where the epilogue reads the bias, or writes its gradient.
  void set_bias(const void* bias) const;

 private:
  struct DestroyOperation {
    const Functions* cublaslt;
    void operator()(cublasLtMatmulDesc_t operation) const { (void)cublaslt->MatmulDescDestroy(operation); }
  };
  struct DestroyLayout {
    const Functions* cublaslt;
    void operator()(cublasLtMatrixLayout_t layout) const { (void)cublaslt->MatrixLayoutDestroy(layout); }
  };
  using Operation = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>, DestroyOperation>;
  using Layout = std::unique_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>, DestroyLayout>;

  Layout layout(const Matrix& matrix) const;
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) const;

  const Functions& cublaslt_;
  Operation operation_;
  Layout a_, b_, d_;
};

class Matmul {
 public:
  /// Asks the heuristics and takes the first algorithm that the rules allow. After require_gpu(). Throws Refused.
  explicit Matmul(const Product& product);

  std::size_t workspace() const { return vendor::padded_workspace(workspace_); }  // bytes, wherever they lie
  /// bias: null where the epilogue has none; written where it is a gradient. Throws Error.
  void run(const void* a, const void* b, void* d, const void* bias, void* workspace, Stream stream) const;

 private:
  Descriptors descriptors_;
  const bool has_bias_;
  cublasLtMatmulAlgo_t algorithm_{};
  std::size_t workspace_ = 0;
};

}  // namespace cudacards::cublaslt
