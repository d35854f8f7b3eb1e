#include "host/ops/vendor/cublaslt/products.h"

namespace cudacards::cublaslt {
namespace {

cudaDataType_t type_of(DType type) { return type == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F; }

/// A row-major (rows,columns) matrix as cuBLASLt sees it.
Matrix row_major(std::int64_t rows, std::int64_t columns, DType type) {
  return {type_of(type), static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows), columns};
}

// Sums are in fp32 in any case.
cublasComputeType_t compute_of(DType type, Factors factors) {
  return type == DType::kF32 && factors == Factors::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

cublasLtEpilogue_t epilogue_of(bool has_bias, Activation activation) {
  const bool has_relu = activation == Activation::kRelu;
  if (has_bias) return has_relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
  return has_relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

}  // namespace

Product forward_product(const DenseSizes& s, DType src, DType dst, Factors factors, bool has_bias,
                        Activation activation) {
  return {.a = row_major(s.units, s.in, src),
          .b = row_major(s.rows, s.in, src),
          .d = row_major(s.rows, s.units, dst),
          .op_a = CUBLAS_OP_T,
          .op_b = CUBLAS_OP_N,
          .compute = compute_of(src, factors),
          .epilogue = epilogue_of(has_bias, activation)};
}

Product backward_data_product(const DenseSizes& s, DType type, Factors factors) {
  return {.a = row_major(s.units, s.in, type),
          .b = row_major(s.rows, s.units, type),
          .d = row_major(s.rows, s.in, type),
          .op_a = CUBLAS_OP_N,
          .op_b = CUBLAS_OP_N,
          .compute = compute_of(type, factors),
          .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
}

Product backward_weights_product(const DenseSizes& s, DType type, Factors factors, bool has_bias) {
  return {.a = row_major(s.rows, s.in, type),
          .b = row_major(s.rows, s.units, type),
          .d = row_major(s.units, s.in, DType::kF32),
          .op_a = CUBLAS_OP_N,
          .op_b = CUBLAS_OP_T,
          .compute = compute_of(type, factors),
          // Of b over k, which are rows; one number a column of d, which are units.
          .epilogue = has_bias ? CUBLASLT_EPILOGUE_BGRADB : CUBLASLT_EPILOGUE_DEFAULT};
}

}  // namespace cudacards::cublaslt
