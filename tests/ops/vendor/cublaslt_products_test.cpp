// What cuBLASLt is asked for, value by value, and which of its algorithms may answer. No GPU is needed; where this
// machine has the library, it takes the descriptors.

#ifdef CUDACARDS_HAS_CUBLASLT

#include "host/ops/vendor/cublaslt/products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "host/ops/vendor/cublaslt/algorithm_choice.h"
#include "host/ops/vendor/cublaslt/matmul.h"

namespace cudacards::cublaslt {
namespace {

using testing::HasSubstr;

constexpr DenseSizes kSizes = {.rows = 5, .in = 7, .units = 3};

/// The product as cuBLASLt defines it, on column-major arrays.
std::vector<float> multiply(const Product& p, const std::vector<float>& a, const std::vector<float>& b) {
  const auto element = [](const std::vector<float>& m, const Matrix& matrix, cublasOperation_t op, std::uint64_t row,
                          std::uint64_t column) {
    if (op == CUBLAS_OP_T) std::swap(row, column);
    EXPECT_LT(row, matrix.rows);
    EXPECT_LT(column, matrix.columns);
    return m.at(row + column * static_cast<std::uint64_t>(matrix.leading));
  };
  const std::uint64_t k = p.op_a == CUBLAS_OP_T ? p.a.rows : p.a.columns;
  EXPECT_EQ(k, p.op_b == CUBLAS_OP_T ? p.b.columns : p.b.rows);
  std::vector<float> d(p.d.rows * p.d.columns);
  for (std::uint64_t row = 0; row < p.d.rows; ++row) {
    for (std::uint64_t column = 0; column < p.d.columns; ++column) {
      float sum = 0;
      for (std::uint64_t i = 0; i < k; ++i) sum += element(a, p.a, p.op_a, row, i) * element(b, p.b, p.op_b, i, column);
      d[row + column * static_cast<std::uint64_t>(p.d.leading)] = sum;
    }
  }
  return d;
}

/// Row-major, every element another whole number.
std::vector<float> numbered(std::int64_t rows, std::int64_t columns) {
  std::vector<float> m(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < m.size(); ++i) m[i] = static_cast<float>(i % 11) - 4;
  return m;
}

class CublasLtProducts : public ::testing::Test {
 protected:
  const std::size_t rows_ = 5, in_ = 7, units_ = 3;
  const std::vector<float> src_ = numbered(5, 7), weights_ = numbered(3, 7), diff_dst_ = numbered(5, 3);
};

TEST_F(CublasLtProducts, ForwardIsSrcTimesWeightsTransposed) {
  const auto dst = multiply(
      forward_product(kSizes, DType::kF32, DType::kF32, Factors::kExact, false, Activation::kNone), weights_, src_);
  for (std::size_t row = 0; row < rows_; ++row) {
    for (std::size_t unit = 0; unit < units_; ++unit) {
      float sum = 0;
      for (std::size_t i = 0; i < in_; ++i) sum += src_[row * in_ + i] * weights_[unit * in_ + i];
      EXPECT_EQ(dst[row * units_ + unit], sum) << row << ", " << unit;
    }
  }
}

TEST_F(CublasLtProducts, DgradIsDiffDstTimesWeights) {
  const auto diff_src = multiply(backward_data_product(kSizes, DType::kF32, Factors::kExact), weights_, diff_dst_);
  for (std::size_t row = 0; row < rows_; ++row) {
    for (std::size_t i = 0; i < in_; ++i) {
      float sum = 0;
      for (std::size_t unit = 0; unit < units_; ++unit)
        sum += diff_dst_[row * units_ + unit] * weights_[unit * in_ + i];
      EXPECT_EQ(diff_src[row * in_ + i], sum) << row << ", " << i;
    }
  }
}

TEST_F(CublasLtProducts, WgradIsDiffDstTransposedTimesSrc) {
  const Product product = backward_weights_product(kSizes, DType::kF32, Factors::kExact, true);
  const auto diff_weights = multiply(product, src_, diff_dst_);
  for (std::size_t unit = 0; unit < units_; ++unit) {
    for (std::size_t i = 0; i < in_; ++i) {
      float sum = 0;
      for (std::size_t row = 0; row < rows_; ++row) sum += diff_dst_[row * units_ + unit] * src_[row * in_ + i];
      EXPECT_EQ(diff_weights[unit * in_ + i], sum) << unit << ", " << i;
    }
  }
  // The bias' gradient has a number for each column of d: units.
  EXPECT_EQ(product.epilogue, CUBLASLT_EPILOGUE_BGRADB);
  EXPECT_EQ(product.d.columns, units_);
}

TEST(CublasLtProduct, TypesFollowThePrecision) {
  const Product scores = forward_product(kSizes, DType::kBf16, DType::kF32, Factors::kTf32, true, Activation::kNone);
  EXPECT_EQ(scores.a.type, CUDA_R_16BF);
  EXPECT_EQ(scores.b.type, CUDA_R_16BF);
  EXPECT_EQ(scores.d.type, CUDA_R_32F);
  EXPECT_EQ(scores.compute, CUBLAS_COMPUTE_32F);  // tf32 is about fp32 factors
  EXPECT_EQ(backward_data_product(kSizes, DType::kF32, Factors::kExact).compute, CUBLAS_COMPUTE_32F);
  EXPECT_EQ(backward_data_product(kSizes, DType::kF32, Factors::kTf32).compute, CUBLAS_COMPUTE_32F_FAST_TF32);
  EXPECT_EQ(backward_data_product(kSizes, DType::kBf16, Factors::kExact).d.type, CUDA_R_16BF);
  EXPECT_EQ(backward_weights_product(kSizes, DType::kBf16, Factors::kExact, false).d.type, CUDA_R_32F);
}

TEST(CublasLtProduct, EpiloguesTakeBiasAndReluAndNothingElse) {
  const auto epilogue = [](bool has_bias, Activation activation) {
    return forward_product(kSizes, DType::kF32, DType::kF32, Factors::kExact, has_bias, activation).epilogue;
  };
  EXPECT_EQ(epilogue(false, Activation::kNone), CUBLASLT_EPILOGUE_DEFAULT);
  EXPECT_EQ(epilogue(false, Activation::kRelu), CUBLASLT_EPILOGUE_RELU);
  EXPECT_EQ(epilogue(true, Activation::kNone), CUBLASLT_EPILOGUE_BIAS);
  EXPECT_EQ(epilogue(true, Activation::kRelu), CUBLASLT_EPILOGUE_RELU_BIAS);
  EXPECT_EQ(epilogue(true, Activation::kRelu6), CUBLASLT_EPILOGUE_BIAS);
  EXPECT_EQ(backward_weights_product(kSizes, DType::kF32, Factors::kExact, false).epilogue, CUBLASLT_EPILOGUE_DEFAULT);
}

TEST(CublasLtProduct, IsDescribedToTheLibraryWhereThereIsOne) {
  if (!library().is_usable()) GTEST_SKIP() << library().missing;
  for (const Product& product :
       {forward_product(kSizes, DType::kBf16, DType::kF32, Factors::kExact, true, Activation::kRelu),
        backward_data_product(kSizes, DType::kF32, Factors::kTf32),
        backward_weights_product(kSizes, DType::kBf16, Factors::kExact, true)}) {
    const Descriptors descriptors(library().functions, product);
    EXPECT_NO_THROW(descriptors.set_bias(&product));
    EXPECT_NE(descriptors.d(), nullptr);
  }
}

TEST(CublasLtAlgorithms, TheFirstWithoutObjectionIsTaken) {
  const std::vector<Algorithm> algorithms = {{.reduction = CUBLASLT_REDUCTION_SCHEME_INPLACE, .splits = 4},
                                             {.workspace = std::size_t{1} << 30},
                                             {.reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, .splits = 4},
                                             {}};
  EXPECT_EQ(choose_algorithm(algorithms, {}).chosen, 2u);
  EXPECT_EQ(choose_algorithm(algorithms, {.deterministic = false}).chosen, 0u);
  EXPECT_EQ(choose_algorithm(algorithms, {.workspace_limit = std::size_t{1} << 30}).chosen, 1u);
}

TEST(CublasLtAlgorithms, PartsOfASumAreNotStoredInBf16) {
  const Algorithm in_type = {.reduction = CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE, .splits = 2};
  EXPECT_EQ(objection(in_type, {.writes_fp32 = true}), "");
  EXPECT_EQ(objection(in_type, {.writes_fp32 = false}), "adds parts in less than fp32");
  EXPECT_EQ(objection({.reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, .splits = 2}, {.writes_fp32 = false}), "");
  // The scheme of a sum that is not split says nothing.
  EXPECT_EQ(objection({.reduction = CUBLASLT_REDUCTION_SCHEME_INPLACE, .splits = 1}, {.writes_fp32 = false}), "");
}

TEST(CublasLtAlgorithms, SayWhyNoneIsUsable) {
  EXPECT_EQ(choose_algorithm({}, {}).reason, "no algorithm for it");
  const std::vector<Algorithm> algorithms = {{.workspace = 3 << 20}, {.workspace = 5 << 20}};
  const AlgorithmChoice choice = choose_algorithm(algorithms, {.workspace_limit = 1 << 20});
  EXPECT_FALSE(choice.chosen);
  EXPECT_THAT(choice.reason, HasSubstr("each of 2 algorithms is refused, the fastest: needs 3.0 MiB"));
}

}  // namespace
}  // namespace cudacards::cublaslt

#endif
