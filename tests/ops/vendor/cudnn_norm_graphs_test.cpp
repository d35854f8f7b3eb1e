// What cuDNN is asked for where a batch norm is to be computed. No GPU and no cuDNN are needed.

#ifdef CUDACARDS_HAS_CUDNN

#include "host/ops/vendor/cudnn/norm_graphs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "host/ops/vendor/cudnn/graphs.h"

namespace cudacards::cudnn {
namespace {

using testing::UnorderedElementsAre;
using Kind = Pointwise::Kind;

// Every size differs from every other.
const Sizes kSizes = {2, 24, 5, 7};

std::vector<Id> ids(const Graph& graph, bool is_virtual) {
  std::vector<Id> all;
  for (const Tensor& t : graph.tensors)
    if (t.is_virtual == is_virtual) all.push_back(t.id);
  return all;
}

TEST(CudnnNormGraph, TakesPicturesAsTheyAreAndRowsAsPicturesOfOnePixel) {
  EXPECT_EQ(norm_sizes({2, 5, 7, 24}), kSizes);
  EXPECT_EQ(norm_sizes({6, 24}), (Sizes{6, 24, 1, 1}));
  EXPECT_EQ(norm_sizes({2, 3, 24}), (Sizes{6, 24, 1, 1}));
}

TEST(CudnnNormGraph, ChannelsAreAReasonWhereTheyAreNoVectors) {
  EXPECT_EQ(channels_reason({2, 53, 5, 7}, DType::kF32), "53 channels are no multiple of 4");
  EXPECT_EQ(channels_reason({2, 12, 5, 7}, DType::kF32), "");
  EXPECT_EQ(channels_reason({2, 12, 5, 7}, DType::kBf16), "12 channels are no multiple of 8");
  EXPECT_EQ(channels_reason(kSizes, DType::kBf16), "");
}

TEST(CudnnNormGraph, OfTrainingAsksForTheBatchsStatisticsInFp32) {
  const Graph graph = norm_training(kSizes, DType::kBf16, Activation::kNone);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(std::get<NormForward>(graph.nodes[0]),
            (NormForward{Id::kSrc, Id::kGamma, Id::kBeta, Id::kEpsilon, Id::kMean, Id::kRstd, Id::kDst}));
  for (const Id id : {Id::kSrc, Id::kDst}) EXPECT_EQ(graph.tensor(id), (Tensor{id, kSizes, CUDNN_DATA_BFLOAT16}));
  for (const Id id : {Id::kGamma, Id::kBeta, Id::kMean, Id::kRstd})
    EXPECT_EQ(graph.tensor(id), (Tensor{id, {1, 24, 1, 1}, CUDNN_DATA_FLOAT}));
  EXPECT_EQ(graph.tensor(Id::kEpsilon), (Tensor{Id::kEpsilon, {1, 1, 1, 1}, CUDNN_DATA_FLOAT, false, true}));
}

TEST(CudnnNormGraph, EndsInTheActivation) {
  for (const auto& graph : {norm_training(kSizes, DType::kBf16, Activation::kRelu6),
                            norm_inference(kSizes, DType::kBf16, Activation::kRelu6)}) {
    EXPECT_EQ(std::get<Relu>(graph.nodes.back()), (Relu{Id::kShifted, Id::kDst, 6.0}));
    EXPECT_EQ(graph.tensor(Id::kShifted), (Tensor{Id::kShifted, kSizes, CUDNN_DATA_FLOAT, true}));
    EXPECT_EQ(graph.tensor(Id::kDst), (Tensor{Id::kDst, kSizes, CUDNN_DATA_BFLOAT16}));
  }
  const Graph relu = norm_training(kSizes, DType::kF32, Activation::kRelu);
  EXPECT_EQ(std::get<NormForward>(relu.nodes[0]).dst, Id::kShifted);
  EXPECT_EQ(std::get<Relu>(relu.nodes.back()), (Relu{Id::kShifted, Id::kDst, std::nullopt}));
}

TEST(CudnnNormGraph, GradientsAreThoseOfAllThree) {
  const Graph graph = norm_backward(kSizes, DType::kBf16);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(std::get<NormBackward>(graph.nodes[0]),
            (NormBackward{Id::kSrc, Id::kDiffDst, Id::kGamma, Id::kMean, Id::kRstd, Id::kDiffSrc, Id::kDiffGamma,
                          Id::kDiffBeta}));
  for (const Id id : {Id::kSrc, Id::kDiffDst, Id::kDiffSrc})
    EXPECT_EQ(graph.tensor(id), (Tensor{id, kSizes, CUDNN_DATA_BFLOAT16}));
  for (const Id id : {Id::kGamma, Id::kMean, Id::kRstd, Id::kDiffGamma, Id::kDiffBeta})
    EXPECT_EQ(graph.tensor(id), (Tensor{id, {1, 24, 1, 1}, CUDNN_DATA_FLOAT}));
}

/// A number for each tensor of a graph of arithmetic, computed in the nodes' order.
double evaluate(const Graph& graph, std::map<Id, double> values, Id result) {
  for (const Node& node : graph.nodes) {
    if (const auto* relu = std::get_if<Relu>(&node)) {
      values[relu->dst] = std::min(std::max(values.at(relu->src), 0.0), relu->upper.value_or(HUGE_VAL));
      continue;
    }
    const auto& n = std::get<Pointwise>(node);
    const double x = values.at(n.src), other = n.other == Id::kNone ? 0 : values.at(n.other);
    values[n.dst] = n.kind == Kind::kAdd        ? x + other
                    : n.kind == Kind::kSubtract ? x - other
                    : n.kind == Kind::kMultiply ? x * other
                                                : 1 / std::sqrt(x);
  }
  return values.at(result);
}

TEST(CudnnNormGraph, OfInferenceIsArithmeticWithTheRunningStatistics) {
  const std::map<Id, double> values = {{Id::kSrc, 7},        {Id::kMean, 3},  {Id::kVariance, 3.75}, {Id::kGamma, 5},
                                       {Id::kEpsilon, 0.25}, {Id::kBeta, -1}, {Id::kDiffDst, 6}};
  const Graph graph = norm_inference(kSizes, DType::kBf16, Activation::kNone);
  EXPECT_DOUBLE_EQ(evaluate(graph, values, Id::kDst), 9);  // (7 - 3) / 2 * 5 - 1
  const Graph clipped = norm_inference(kSizes, DType::kBf16, Activation::kRelu6);
  EXPECT_DOUBLE_EQ(evaluate(clipped, values, Id::kDst), 6);
  const Graph backward = norm_inference_backward(kSizes, DType::kBf16);
  EXPECT_DOUBLE_EQ(evaluate(backward, values, Id::kDiffSrc), 15);  // 6 * 5 / 2
}

TEST(CudnnNormGraph, OfInferenceKeepsWhatIsBetweenInFp32WithoutMemory) {
  const Graph graph = norm_inference(kSizes, DType::kBf16, Activation::kNone);
  EXPECT_THAT(ids(graph, false),
              UnorderedElementsAre(Id::kSrc, Id::kMean, Id::kVariance, Id::kGamma, Id::kBeta, Id::kEpsilon, Id::kDst));
  EXPECT_THAT(ids(norm_inference_backward(kSizes, DType::kBf16), false),
              UnorderedElementsAre(Id::kDiffDst, Id::kGamma, Id::kVariance, Id::kEpsilon, Id::kDiffSrc));
  for (const Id id : ids(graph, true)) EXPECT_EQ(graph.tensor(id).type, CUDNN_DATA_FLOAT);
  for (const Id id : {Id::kSpread, Id::kRstd}) EXPECT_EQ(graph.tensor(id).sizes, (Sizes{1, 24, 1, 1}));
  for (const Id id : {Id::kCentred, Id::kNormal, Id::kScaled}) EXPECT_EQ(graph.tensor(id).sizes, kSizes);
}

TEST(CudnnNormGraph, TextTellsEveryGraphApart) {
  std::set<std::string> texts;
  for (const DType type : {DType::kF32, DType::kBf16}) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
      texts.insert(to_string(norm_training(kSizes, type, activation)));
      texts.insert(to_string(norm_inference(kSizes, type, activation)));
    }
    texts.insert(to_string(norm_backward(kSizes, type)));
    texts.insert(to_string(norm_inference_backward(kSizes, type)));
  }
  EXPECT_EQ(texts.size(), 16u);
  Graph graph = norm_inference(kSizes, DType::kF32, Activation::kNone);
  const std::string before = to_string(graph);
  for (Tensor& tensor : graph.tensors) tensor.is_number = false;
  EXPECT_NE(to_string(graph), before);
}

}  // namespace
}  // namespace cudacards::cudnn

#endif
