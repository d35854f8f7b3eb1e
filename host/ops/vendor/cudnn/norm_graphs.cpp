#include "host/ops/vendor/cudnn/norm_graphs.h"

#include <fmt/format.h>

#include "host/ops/vendor/cudnn/graphs.h"

namespace cudacards::cudnn {
namespace {

using Kind = Pointwise::Kind;

Tensor channels(Id id, const Sizes& src) { return {id, {1, src[1], 1, 1}, CUDNN_DATA_FLOAT}; }
Tensor epsilon() { return {.id = Id::kEpsilon, .sizes = {1, 1, 1, 1}, .type = CUDNN_DATA_FLOAT, .is_number = true}; }
/// Between two operations; in fp32, so that only dst is rounded.
Tensor between(Id id, const Sizes& sizes) { return {id, sizes, CUDNN_DATA_FLOAT, true}; }

/// kRstd from kVariance and kEpsilon.
void add_rstd(Graph& graph, const Sizes& src) {
  const Sizes sizes = {1, src[1], 1, 1};
  graph.tensors.insert(graph.tensors.end(), {channels(Id::kVariance, src), epsilon(), between(Id::kSpread, sizes),
                                             between(Id::kRstd, sizes)});
  graph.nodes.emplace_back(Pointwise{Kind::kAdd, Id::kVariance, Id::kEpsilon, Id::kSpread});
  graph.nodes.emplace_back(Pointwise{Kind::kReciprocalRoot, Id::kSpread, Id::kNone, Id::kRstd});
}

/// kDst, and where there is an activation kShifted before it; what the operation in front writes.
Id add_result(Graph& graph, const Sizes& src, DType type, Activation activation) {
  graph.tensors.push_back({Id::kDst, src, type_of(type)});
  if (activation == Activation::kNone) return Id::kDst;
  graph.tensors.push_back(between(Id::kShifted, src));
  return Id::kShifted;
}

void add_activation(Graph& graph, Activation activation) {
  if (activation != Activation::kNone) graph.nodes.emplace_back(relu(activation, Id::kShifted, Id::kDst));
}

}  // namespace

Sizes norm_sizes(const Shape& src) {
  const std::int64_t c = src[src.rank() - 1];
  if (src.rank() == 4) return {src[0], c, src[1], src[2]};
  return {src.elements() / c, c, 1, 1};
}

std::string channels_reason(const Sizes& src, DType type) {
  const std::int64_t vector = 16 / static_cast<std::int64_t>(size_of(type));
  return src[1] % vector == 0 ? "" : fmt::format("{} channels are no multiple of {}", src[1], vector);
}

Graph norm_training(const Sizes& src, DType type, Activation activation) {
  Graph graph{{{Id::kSrc, src, type_of(type)},
               channels(Id::kGamma, src),
               channels(Id::kBeta, src),
               epsilon(),
               channels(Id::kMean, src),
               channels(Id::kRstd, src)},
              {}};
  const Id result = add_result(graph, src, type, activation);
  graph.nodes.emplace_back(NormForward{Id::kSrc, Id::kGamma, Id::kBeta, Id::kEpsilon, Id::kMean, Id::kRstd, result});
  add_activation(graph, activation);
  return graph;
}

Graph norm_backward(const Sizes& src, DType type) {
  return {{{Id::kSrc, src, type_of(type)},
           {Id::kDiffDst, src, type_of(type)},
           channels(Id::kGamma, src),
           channels(Id::kMean, src),
           channels(Id::kRstd, src),
           {Id::kDiffSrc, src, type_of(type)},
           channels(Id::kDiffGamma, src),
           channels(Id::kDiffBeta, src)},
          {NormBackward{Id::kSrc, Id::kDiffDst, Id::kGamma, Id::kMean, Id::kRstd, Id::kDiffSrc, Id::kDiffGamma,
                        Id::kDiffBeta}}};
}

Graph norm_inference(const Sizes& src, DType type, Activation activation) {
  Graph graph{{{Id::kSrc, src, type_of(type)},
               channels(Id::kMean, src),
               channels(Id::kGamma, src),
               channels(Id::kBeta, src),
               between(Id::kCentred, src),
               between(Id::kNormal, src),
               between(Id::kScaled, src)},
              {}};
  add_rstd(graph, src);
  const Id result = add_result(graph, src, type, activation);
  graph.nodes.emplace_back(Pointwise{Kind::kSubtract, Id::kSrc, Id::kMean, Id::kCentred});
  graph.nodes.emplace_back(Pointwise{Kind::kMultiply, Id::kCentred, Id::kRstd, Id::kNormal});
  graph.nodes.emplace_back(Pointwise{Kind::kMultiply, Id::kNormal, Id::kGamma, Id::kScaled});
  graph.nodes.emplace_back(Pointwise{Kind::kAdd, Id::kScaled, Id::kBeta, result});
  add_activation(graph, activation);
  return graph;
}

Graph norm_inference_backward(const Sizes& src, DType type) {
  Graph graph{{{Id::kDiffDst, src, type_of(type)},
               channels(Id::kGamma, src),
               between(Id::kScaled, src),
               {Id::kDiffSrc, src, type_of(type)}},
              {}};
  add_rstd(graph, src);
  graph.nodes.emplace_back(Pointwise{Kind::kMultiply, Id::kDiffDst, Id::kGamma, Id::kScaled});
  graph.nodes.emplace_back(Pointwise{Kind::kMultiply, Id::kScaled, Id::kRstd, Id::kDiffSrc});
  return graph;
}

}  // namespace cudacards::cudnn
