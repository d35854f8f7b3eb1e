#pragma once
// The three products of a dense layer as cuBLASLt wants them, as values: nothing here calls it.
//
// cuBLASLt's matrices are column-major. A row-major (rows,columns) matrix is, to it, a (columns,rows) one with leading
// dimension `columns`, so that each product is asked for transposed:
//   forward   dst^T (units,rows)        = weights (units,in) * src^T (in,rows)
//   dgrad     diff_src^T (in,rows)      = weights^T (in,units) * diff_dst^T (units,rows)
//   wgrad     diff_weights^T (in,units) = src^T (in,rows) * diff_dst (rows,units)

#include <cublasLt.h>

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/factors.h"

namespace cudacards::cublaslt {

/// A matrix as it lies in memory, column-major.
struct Matrix {
  cudaDataType_t type = CUDA_R_32F;
  std::uint64_t rows = 0, columns = 0;
  std::int64_t leading = 0;  // elements from a column to the next
  bool operator==(const Matrix&) const = default;
};

/// d = epilogue(op(a) * op(b)), d of m x n and `a`'s and `b`'s shared dimension k.
struct Product {
  Matrix a, b, d;
  cublasOperation_t op_a = CUBLAS_OP_N, op_b = CUBLAS_OP_N;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  bool operator==(const Product&) const = default;
};

/// src (rows,in), weights (units,in), dst (rows,units).
struct DenseSizes {
  std::int64_t rows = 1, in = 1, units = 1;
};

/// The bias (units) is of dst's type; ReLU is in the epilogue, ReLU6 is not.
Product forward_product(const DenseSizes& sizes, DType src, DType dst, Factors factors, bool has_bias,
                        Activation activation);
Product backward_data_product(const DenseSizes& sizes, DType type, Factors factors);
/// fp32 diff_weights, and fp32 diff_bias (units) where there is one: the sum of diff_dst over rows, in the epilogue.
Product backward_weights_product(const DenseSizes& sizes, DType type, Factors factors, bool has_bias);

}  // namespace cudacards::cublaslt
