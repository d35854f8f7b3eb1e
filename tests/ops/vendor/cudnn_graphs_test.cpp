// What cuDNN is asked for, value by value, and which of its engines may answer. No GPU and no cuDNN are needed.

#ifdef CUDACARDS_HAS_CUDNN

#include "host/ops/vendor/cudnn/graphs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn/conv2d.h"
#include "host/ops/vendor/cudnn/engine_choice.h"
#include "host/ops/vendor/cudnn/pool.h"

namespace cudacards::cudnn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Every size differs from every other, so that no two can be exchanged unseen.
const Conv2dProblem kProblem = {.n = 2,
                                .h = 13,
                                .w = 10,
                                .c = 6,
                                .k = 9,
                                .r = 5,
                                .s = 4,
                                .stride_h = 3,
                                .stride_w = 2,
                                .pad = {1, 0, 2, 3},
                                .groups = 3};

const Convolution& convolution_of(const Graph& graph) { return std::get<Convolution>(graph.nodes.front()); }

TEST(CudnnGraph, StridesAreThoseOfChannelsLast) {
  // (N,C,H,W) = (2,6,13,10): an element of C is next to the last, a row is W*C elements.
  EXPECT_EQ(channels_last({2, 6, 13, 10}), (Sizes{13 * 10 * 6, 1, 10 * 6, 6}));
}

TEST(CudnnGraph, ForwardNamesSizesInCudnnsOrder) {
  const Graph graph = convolution_forward(kProblem, DType::kF32, false, Activation::kNone);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.tensor(Id::kSrc), (Tensor{Id::kSrc, {2, 6, 13, 10}, CUDNN_DATA_FLOAT}));
  EXPECT_EQ(graph.tensor(Id::kWeights), (Tensor{Id::kWeights, {9, 2, 5, 4}, CUDNN_DATA_FLOAT}));
  EXPECT_EQ(graph.tensor(Id::kDst), (Tensor{Id::kDst, {2, 9, 4, 5}, CUDNN_DATA_FLOAT}));
  EXPECT_EQ(convolution_of(graph), (Convolution{.direction = Direction::kForward,
                                                .src = Id::kSrc,
                                                .weights = Id::kWeights,
                                                .dst = Id::kDst,
                                                .stride = {3, 2},
                                                .pad_before = {1, 0},
                                                .pad_after = {2, 3}}));
}

/// Keras' "same" with stride 2 on an even size: a zero behind and none before, which cuDNN's older interface cannot
/// say.
TEST(CudnnGraph, PadsBehindAndNotBeforeWhereKerasDoes) {
  const Conv2d conv({.filters = 8, .kernel = 3, .stride = 2});
  const Conv2dProblem p = conv.problem({1, 8, 8, 3});
  const Convolution node = convolution_of(convolution_forward(p, DType::kBf16, false, Activation::kNone));
  EXPECT_EQ(node.pad_before, (Pair{0, 0}));
  EXPECT_EQ(node.pad_after, (Pair{1, 1}));
}

TEST(CudnnGraph, AbsorbsBiasAndActivationThroughVirtualTensorsOfFp32) {
  const Graph graph = convolution_forward(kProblem, DType::kBf16, true, Activation::kRelu6);
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.tensor(Id::kSum), (Tensor{Id::kSum, {2, 9, 4, 5}, CUDNN_DATA_FLOAT, true}));
  EXPECT_EQ(graph.tensor(Id::kBiased), (Tensor{Id::kBiased, {2, 9, 4, 5}, CUDNN_DATA_FLOAT, true}));
  EXPECT_EQ(graph.tensor(Id::kBias), (Tensor{Id::kBias, {1, 9, 1, 1}, CUDNN_DATA_BFLOAT16}));
  EXPECT_EQ(graph.tensor(Id::kDst), (Tensor{Id::kDst, {2, 9, 4, 5}, CUDNN_DATA_BFLOAT16}));
  EXPECT_EQ(convolution_of(graph).dst, Id::kSum);
  EXPECT_EQ(std::get<Pointwise>(graph.nodes[1]), (Pointwise{Pointwise::Kind::kAdd, Id::kSum, Id::kBias, Id::kBiased}));
  EXPECT_EQ(std::get<Relu>(graph.nodes[2]), (Relu{Id::kBiased, Id::kDst, 6.0}));
}

TEST(CudnnGraph, EndsInDstWithAnyOfBiasAndActivation) {
  const Graph biased = convolution_forward(kProblem, DType::kF32, true, Activation::kNone);
  ASSERT_EQ(biased.nodes.size(), 2u);
  EXPECT_EQ(std::get<Pointwise>(biased.nodes[1]), (Pointwise{Pointwise::Kind::kAdd, Id::kSum, Id::kBias, Id::kDst}));
  const Graph activated = convolution_forward(kProblem, DType::kF32, false, Activation::kRelu);
  ASSERT_EQ(activated.nodes.size(), 2u);
  EXPECT_EQ(std::get<Relu>(activated.nodes[1]), (Relu{Id::kSum, Id::kDst, std::nullopt}));
  for (const Graph& graph : {biased, activated}) {
    EXPECT_FALSE(graph.tensor(Id::kDst).is_virtual);
    EXPECT_TRUE(graph.tensor(Id::kSum).is_virtual);
  }
}

TEST(CudnnGraph, GradientsNameTheTensorsByTheRolesThatTheyHaveForward) {
  const Graph data = convolution_backward_data(kProblem, DType::kBf16);
  EXPECT_EQ(convolution_of(data).direction, Direction::kBackwardData);
  EXPECT_EQ(convolution_of(data).src, Id::kDiffSrc);
  EXPECT_EQ(convolution_of(data).dst, Id::kDiffDst);
  EXPECT_EQ(data.tensor(Id::kDiffSrc).sizes, (Sizes{2, 6, 13, 10}));
  EXPECT_EQ(data.tensor(Id::kDiffDst).sizes, (Sizes{2, 9, 4, 5}));
  EXPECT_EQ(data.tensor(Id::kDiffSrc).type, CUDNN_DATA_BFLOAT16);
  const Graph weights = convolution_backward_weights(kProblem, DType::kBf16);
  EXPECT_EQ(convolution_of(weights).direction, Direction::kBackwardWeights);
  EXPECT_EQ(convolution_of(weights).src, Id::kSrc);
  EXPECT_EQ(convolution_of(weights).dst, Id::kDiffDst);
  EXPECT_EQ(weights.tensor(Id::kSrc).type, CUDNN_DATA_BFLOAT16);
  EXPECT_EQ(weights.tensor(Id::kWeights).type, CUDNN_DATA_FLOAT);  // fp32 in every precision
}

TEST(CudnnGraph, SumsTheBiasGradientOverAllButTheChannels) {
  const Graph graph = bias_gradient(kProblem, DType::kBf16);
  EXPECT_EQ(graph.tensor(Id::kDiffDst), (Tensor{Id::kDiffDst, {2, 9, 4, 5}, CUDNN_DATA_BFLOAT16}));
  EXPECT_EQ(graph.tensor(Id::kSum), (Tensor{Id::kSum, {1, 9, 1, 1}, CUDNN_DATA_FLOAT}));
  EXPECT_EQ(std::get<Sum>(graph.nodes.front()), (Sum{Id::kDiffDst, Id::kSum}));
}

const Pool2dProblem kPool = {
    .n = 2, .h = 9, .w = 8, .c = 5, .window_h = 3, .window_w = 2, .stride_h = 2, .stride_w = 4};

TEST(CudnnGraph, MaxPoolKeepsTheWinnersPlaceInTrainingOnly) {
  const Graph training = max_pool_forward(kPool, DType::kF32, true);
  EXPECT_EQ(training.tensor(Id::kIndex), (Tensor{Id::kIndex, {2, 5, 4, 2}, CUDNN_DATA_INT8}));
  const auto& node = std::get<Pool>(training.nodes.front());
  EXPECT_EQ(node.index, Id::kIndex);
  EXPECT_EQ(node.window, (Pair{3, 2}));
  EXPECT_EQ(node.stride, (Pair{2, 4}));
  EXPECT_FALSE(node.backward);
  const Graph inference = max_pool_forward(kPool, DType::kF32, false);
  EXPECT_EQ(std::get<Pool>(inference.nodes.front()).index, Id::kNone);
  EXPECT_EQ(inference.tensors.size(), 2u);
}

TEST(CudnnGraph, PoolsGradientsGoFromDstToSrc) {
  const Graph graph = max_pool_backward(kPool, DType::kBf16);
  const auto& node = std::get<Pool>(graph.nodes.front());
  EXPECT_TRUE(node.backward);
  EXPECT_EQ(node.src, Id::kDiffSrc);
  EXPECT_EQ(node.dst, Id::kDiffDst);
  EXPECT_EQ(node.index, Id::kIndex);
  EXPECT_EQ(graph.tensor(Id::kDiffSrc).sizes, (Sizes{2, 5, 9, 8}));
  EXPECT_EQ(graph.tensor(Id::kDiffDst).sizes, (Sizes{2, 5, 4, 2}));
}

TEST(CudnnGraph, GlobalAverageIsAWindowOfThePicturesSize) {
  const Pool2dProblem p = whole_picture({2, 7, 5, 53});
  const Graph graph = global_average_forward(p, DType::kF32);
  const auto& node = std::get<Pool>(graph.nodes.front());
  EXPECT_EQ(node.kind, Pool::Kind::kAverage);
  EXPECT_EQ(node.window, (Pair{7, 5}));
  EXPECT_EQ(graph.tensor(Id::kDst).sizes, (Sizes{2, 53, 1, 1}));
  EXPECT_EQ(std::get<Pool>(global_average_backward(p, DType::kF32).nodes.front()).index, Id::kNone);
}

TEST(CudnnGraph, TextTellsEveryValueApart) {
  std::vector<Conv2dProblem> problems(9, kProblem);
  problems[1].n = 3;
  problems[2].h = 14;
  problems[3].c = 9;
  problems[4].stride_w = 1;
  problems[5].pad = {0, 0, 3, 3};
  problems[6].pad = {1, 1, 2, 2};
  problems[7].s = 3;
  std::set<std::string> texts;
  for (const Conv2dProblem& p : problems)
    texts.insert(to_string(convolution_forward(p, DType::kF32, true, Activation::kRelu)));
  texts.insert(to_string(convolution_forward(kProblem, DType::kF32, true, Activation::kRelu6)));
  texts.insert(to_string(convolution_forward(kProblem, DType::kF32, true, Activation::kNone)));
  texts.insert(to_string(convolution_forward(kProblem, DType::kBf16, true, Activation::kRelu)));
  texts.insert(to_string(convolution_backward_data(kProblem, DType::kF32)));
  texts.insert(to_string(convolution_backward_weights(kProblem, DType::kF32)));
  EXPECT_EQ(texts.size(), 8u + 5u);  // two of the problems are the same
  EXPECT_NE(to_string(max_pool_forward(kPool, DType::kF32, true)),
            to_string(max_pool_forward(kPool, DType::kF32, false)));
}

TEST(CudnnEngines, AreTakenInTheHeuristicsOrderWhereNothingSpeaksAgainstThem) {
  const std::vector<Engine> engines = {{.index = 7, .notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                                       {.index = 3, .notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}},
                                       {.index = 5, .workspace = std::size_t{2} << 30},
                                       {.index = 1, .notes = {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}}};
  EXPECT_THAT(choose_engines(engines, {}).usable, ElementsAre(1, 3));
  EXPECT_THAT(choose_engines(engines, {.deterministic = false}).usable, ElementsAre(0, 1, 3));
  EXPECT_THAT(choose_engines(engines, {.has_fp32_factors = true}).usable, ElementsAre(3));
  EXPECT_THAT(choose_engines(engines, {.factors = Factors::kTf32, .has_fp32_factors = true}).usable, ElementsAre(1, 3));
  EXPECT_THAT(choose_engines(engines, {.workspace_limit = std::size_t{2} << 30}).usable, ElementsAre(1, 2, 3));
}

TEST(CudnnEngines, AreRefusedWhereTheyDontSumWhatTheProblemSays) {
  for (const auto note : {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_WINOGRAD,
                          CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}) {
    EXPECT_NE(objection({.notes = {note}}, {}), "") << note;
  }
  EXPECT_THAT(objection({.notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}}, {}), IsEmpty());
}

TEST(CudnnEngines, SayWhyNoneIsUsable) {
  EXPECT_EQ(choose_engines({}, {}).reason, "no engine for it");
  const std::vector<Engine> engines = {{.notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                                       {.notes = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                                       {.workspace = 3 << 20}};
  const EngineChoice choice = choose_engines(engines, {.workspace_limit = 1 << 20});
  EXPECT_THAT(choice.usable, IsEmpty());
  EXPECT_EQ(choice.reason,
            "each of 3 engines is refused: not deterministic; needs 3.0 MiB of workspace, more than 1.0 MiB");
}

TEST(CudnnEngines, SayHowAWidenedGradientIsMultiplied) {
  EXPECT_EQ(widened_note(true), "weights' gradient from bf16 widened to fp32 first, multiplied as tf32");
  EXPECT_EQ(widened_note(false),
            "weights' gradient from bf16 widened to fp32 first, multiplied in fp32 without tensor cores");
}

TEST(CudnnEngines, DontGiveUpTensorCoresForAnActivation) {
  const Engine plain = {.index = 1}, tensor_cores = {.index = 2, .notes = {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}};
  EXPECT_TRUE(keeps_tensor_cores(tensor_cores, tensor_cores));
  EXPECT_TRUE(keeps_tensor_cores(plain, plain));
  EXPECT_TRUE(keeps_tensor_cores(tensor_cores, plain));
  EXPECT_FALSE(keeps_tensor_cores(plain, tensor_cores));
}

}  // namespace
}  // namespace cudacards::cudnn

#endif
