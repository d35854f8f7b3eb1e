// cuDNN makes plans for a GPU that is only described to it: where the library is, all that is set on its descriptors is
// held against cuDNN itself, and no GPU is needed. What engines compile at run time wants the driver too, so that here
// it goes as far as a finalized graph.

#ifdef CUDACARDS_HAS_CUDNN

#include "host/ops/vendor/cudnn/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn/graphs.h"
#include "host/ops/vendor/cudnn/norm_graphs.h"
#include "host/ops/vendor/cudnn/operations.h"
#include "host/ops/vendor/cudnn/pool.h"
#include "host/ops/vendor/cudnn/softmax.h"
#include "host/runtime/error.h"
#include "tests/support/case_scope.h"
#include "tests/support/op_case.h"

namespace cudacards::cudnn {
namespace {

constexpr std::size_t kDescribesGpus = 90800;  // the version from which it does

// As cuDNN writes them for an H100 (SXM5, 80 GB).
constexpr std::string_view kH100 = R"({"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],
"regsPerBlock":65536,"multiProcessorCount":132,"warpSize":32,"maxSharedMemoryPerBlock":49152,
"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,
"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,
"smClockRateKHz":1980000,"memClockRateKHz":2619000,"l2CacheSize":52428800,"deviceName":"NVIDIA H100 80GB HBM3",
"deviceVer":900,"driverVer":13000,"cudaDeviceId":0,"totalGlobalMem":85000000000})";

class CudnnPlan : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!library().is_usable()) GTEST_SKIP() << library().missing;
#if CUDNN_VERSION >= 90800
    if (library().functions.GetVersion() < kDescribesGpus)
      GTEST_SKIP() << "cuDNN " << library().version << " wants a GPU";
    properties_ = std::make_unique<Descriptor>(library().functions, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    properties_->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(kH100.data(), kH100.size()));
    properties_->finalize("describing a GPU");
#else
    GTEST_SKIP() << "built with headers of a cuDNN that wants a GPU";
#endif
  }

  Plan plan(const Graph& graph, const EngineRules& rules) const {
    return Plan(Target{.cudnn = &library().functions, .properties = properties_.get()}, graph, rules);
  }

  std::unique_ptr<Descriptor> properties_;
};

/// The convolutions of the models and of the edge cases, each once.
std::vector<Conv2dProblem> convolutions() {
  std::vector<Conv2dProblem> problems;
  for (const auto& c : testing::cases_of(testing::OpFamily::kConv2d)) {
    const Conv2dProblem p = static_cast<const Conv2d&>(*c.operation).problem(c.src[0]);
    if (std::ranges::find(problems, p) == problems.end()) problems.push_back(p);
  }
  return problems;
}

Graph bias_free_convolution() {
  return convolution_forward({.n = 2, .h = 9, .w = 9, .c = 3, .k = 4, .r = 3, .s = 3}, DType::kF32, false,
                             Activation::kNone);
}

TEST_F(CudnnPlan, IsMadeForEveryConvolutionInFp32WithoutTensorCores) {
  const EngineRules rules = {.has_fp32_factors = true};
  for (const Conv2dProblem& p : convolutions()) {
    for (const Graph& graph :
         {convolution_forward(p, DType::kF32, false, Activation::kNone),
          convolution_forward(p, DType::kF32, true, Activation::kNone),
          convolution_forward(p, DType::kF32, true, Activation::kRelu), convolution_backward_data(p, DType::kF32),
          convolution_backward_weights(p, DType::kF32)}) {
      SCOPED_TRACE(to_string(graph));
      EXPECT_NO_THROW({
        const Plan made = plan(graph, rules);
        EXPECT_LE(made.engine().workspace, rules.workspace_limit);
        EXPECT_FALSE(has_note(made.engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
        EXPECT_FALSE(has_note(made.engine(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
      });
    }
  }
}

TEST_F(CudnnPlan, IsMadeForEveryConvolutionInBf16WithBiasAndRelu) {
  for (const Conv2dProblem& p : convolutions()) {
    for (const Graph& graph :
         {convolution_forward(p, DType::kBf16, false, Activation::kNone),
          convolution_forward(p, DType::kBf16, true, Activation::kNone),
          convolution_forward(p, DType::kBf16, true, Activation::kRelu), convolution_backward_data(p, DType::kBf16)}) {
      SCOPED_TRACE(to_string(graph));
      EXPECT_NO_THROW((void)plan(graph, {}));
    }
  }
}

TEST_F(CudnnPlan, TakesTensorCoresWhereTf32IsAllowed) {
  const Conv2dProblem p = {.n = 32, .h = 56, .w = 56, .c = 64, .k = 128, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  const Graph graph = convolution_backward_weights(p, DType::kF32);
  const Plan made = plan(graph, {.factors = Factors::kTf32, .has_fp32_factors = true});
  EXPECT_TRUE(has_note(made.engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
}

TEST_F(CudnnPlan, TakesAnotherEngineWhereTheWorkspaceIsTooSmall) {
  const Conv2dProblem p = {.n = 32, .h = 112, .w = 112, .c = 32, .k = 64, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  const Graph graph = convolution_backward_data(p, DType::kBf16);
  const std::size_t needed = plan(graph, {}).engine().workspace;
  ASSERT_GT(needed, 0u);
  const Plan smaller = plan(graph, {.workspace_limit = needed - 1});
  EXPECT_LT(smaller.engine().workspace, needed);
}

/// What engines compile at run time is not offered without a driver: here it goes as far as a finalized graph.
void expect_finalized(const Graph& graph) {
  SCOPED_TRACE(to_string(graph));
  EXPECT_NO_THROW({
    const Operations operations(library().functions, graph);
    Descriptor descriptor(library().functions, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    descriptor.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.all());
    descriptor.finalize("a graph of operations");
  });
}

TEST_F(CudnnPlan, TakesTheGraphsOfPoolsAndSums) {
  const Pool2dProblem pool = {
      .n = 3, .h = 7, .w = 5, .c = 53, .window_h = 3, .window_w = 2, .stride_h = 2, .stride_w = 1};
  const Conv2dProblem conv = {.n = 2, .h = 9, .w = 9, .c = 3, .k = 17, .r = 3, .s = 3};
  for (const DType type : {DType::kF32, DType::kBf16}) {
    for (const Graph& graph :
         {max_pool_forward(pool, type, true), max_pool_forward(pool, type, false), max_pool_backward(pool, type),
          global_average_forward(whole_picture({2, 7, 5, 53}), type),
          global_average_backward(whole_picture({2, 7, 5, 53}), type), bias_gradient(conv, type),
          convolution_forward(conv, type, true, Activation::kRelu6)}) {
      expect_finalized(graph);
    }
  }
}

/// The batch norms of the models and of the edge cases, each once.
TEST_F(CudnnPlan, TakesTheGraphsOfEveryBatchNorm) {
  std::set<std::string> seen;
  for (const auto& c : testing::cases_of(testing::OpFamily::kBatchNorm)) {
    const Sizes sizes = norm_sizes(c.src[0]);
    const Activation activation = static_cast<const BatchNorm&>(*c.operation).activation;
    for (const Graph& graph : {norm_training(sizes, c.type, activation), norm_backward(sizes, c.type),
                               norm_inference(sizes, c.type, activation), norm_inference_backward(sizes, c.type)}) {
      if (seen.insert(to_string(graph)).second) expect_finalized(graph);
    }
  }
  EXPECT_GT(seen.size(), 4u);
}

/// Without a driver no engine is left, and the refusal says so.
TEST_F(CudnnPlan, OfABatchNormIsMadeOrRefusedInWords) {
  try {
    const Plan made = plan(norm_training({4, 64, 8, 8}, DType::kBf16, Activation::kNone), {});
    EXPECT_FALSE(has_note(made.engine(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
  } catch (const Refused& refused) {
    EXPECT_STREQ(refused.what(), "no engine for it");
  }
}

TEST_F(CudnnPlan, RowsOfASoftmaxAreDescribed) {
  const Functions& cudnn = library().functions;
  for (const DType type : {DType::kF32, DType::kBf16}) EXPECT_NE(RowsDescriptor(cudnn, type, 7, 53).get(), nullptr);
  const auto refusal = [&](DType type, std::int64_t rows, std::int64_t classes) -> std::string {
    try {
      const RowsDescriptor made(cudnn, type, rows, classes);
      return "";
    } catch (const Refused& refused) {
      return refused.what();
    }
  };
  constexpr std::int64_t kTooMany = std::int64_t{1} << 31;
  EXPECT_EQ(refusal(DType::kU8, 7, 53), "needs fp32 or bf16");
  EXPECT_EQ(refusal(DType::kF32, kTooMany, 53), "more than 2^31 - 1 rows or classes");
  EXPECT_EQ(refusal(DType::kF32, 7, kTooMany), "more than 2^31 - 1 rows or classes");
  EXPECT_NE(refusal(DType::kF32, 0, 53).find("cuDNN: describing rows: CUDNN_STATUS_"), std::string::npos);
}

TEST_F(CudnnPlan, TakesAddressesOfTensorsAndWorkspace) {
  std::array<float, 16> memory{};
  EXPECT_NO_THROW(
      (void)variant_pack(library().functions, {{Id::kSrc, memory.data()}, {Id::kDst, memory.data() + 8}}, nullptr));
  EXPECT_NO_THROW((void)variant_pack(library().functions, {{Id::kSrc, memory.data()}}, memory.data()));
}

/// There is no handle behind a plan for a GPU that is only described.
TEST_F(CudnnPlan, ThatCannotBeExecutedIsAnError) {
  const Plan made = plan(bias_free_convolution(), {.has_fp32_factors = true});
  std::array<float, 16> memory{};
  EXPECT_THROW(made.execute({{Id::kSrc, memory.data()}}, nullptr, nullptr), Error);
}

/// A mistake in a graph is cuDNN's refusal with its words, and no crash.
TEST_F(CudnnPlan, IsRefusedWithCudnnsWordsWhereTheSizesAreWrong) {
  Graph graph = bias_free_convolution();
  graph.tensors.back().sizes[2] = 8;  // 7 rows come out
  try {
    (void)plan(graph, {});
    ADD_FAILURE() << "was taken";
  } catch (const Refused& refused) {
    EXPECT_NE(std::string(refused.what()).find("a convolution: CUDNN_STATUS_"), std::string::npos) << refused.what();
  }
}

}  // namespace
}  // namespace cudacards::cudnn

#endif
