#include "host/ops/vendor/cudnn/graphs.h"

namespace cudacards::cudnn {
namespace {

Sizes src_sizes(const Conv2dProblem& p) { return {p.n, p.c, p.h, p.w}; }
Sizes dst_sizes(const Conv2dProblem& p) { return {p.n, p.k, p.p(), p.q()}; }
Sizes weight_sizes(const Conv2dProblem& p) { return {p.k, p.c_per_group(), p.r, p.s}; }
Sizes per_filter(const Conv2dProblem& p) { return {1, p.k, 1, 1}; }

Convolution convolution(const Conv2dProblem& p, Direction direction) {
  return {.direction = direction,
          .stride = {p.stride_h, p.stride_w},
          .pad_before = {p.pad.top, p.pad.left},
          .pad_after = {p.pad.bottom, p.pad.right}};
}

Sizes src_sizes(const Pool2dProblem& p) { return {p.n, p.c, p.h, p.w}; }
Sizes dst_sizes(const Pool2dProblem& p) { return {p.n, p.c, p.p(), p.q()}; }

Pool pool(const Pool2dProblem& p, Pool::Kind kind) {
  return {.kind = kind,
          .src = Id::kSrc,
          .dst = Id::kDst,
          .window = {p.window_h, p.window_w},
          .stride = {p.stride_h, p.stride_w}};
}

Pool backward(Pool pool) {
  pool.backward = true;
  pool.src = Id::kDiffSrc;
  pool.dst = Id::kDiffDst;
  return pool;
}

}  // namespace

cudnnDataType_t type_of(DType type) {
  switch (type) {
    case DType::kF32:
      return CUDNN_DATA_FLOAT;
    case DType::kBf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::kU8:
      return CUDNN_DATA_UINT8;
  }
  return CUDNN_DATA_FLOAT;
}

Relu relu(Activation activation, Id src, Id dst) {
  return {src, dst, activation == Activation::kRelu6 ? std::optional(6.0) : std::nullopt};
}

Graph convolution_forward(const Conv2dProblem& p, DType dtype, bool has_bias, Activation activation) {
  const cudnnDataType_t type = type_of(dtype);
  Graph graph;
  graph.tensors = {{Id::kSrc, src_sizes(p), type}, {Id::kWeights, weight_sizes(p), type}};
  // Between the operations the sums stay in fp32 and in registers.
  Id last = Id::kDst;
  const auto add_result = [&](Id id, bool is_last) {
    graph.tensors.push_back({is_last ? Id::kDst : id, dst_sizes(p), is_last ? type : CUDNN_DATA_FLOAT, !is_last});
    return last = graph.tensors.back().id;
  };
  const bool has_activation = activation != Activation::kNone;
  Convolution conv = convolution(p, Direction::kForward);
  conv.dst = add_result(Id::kSum, !has_bias && !has_activation);
  graph.nodes.push_back(conv);
  if (has_bias) {
    graph.tensors.push_back({Id::kBias, per_filter(p), type});
    const Id before = last;
    graph.nodes.push_back(
        Pointwise{Pointwise::Kind::kAdd, before, Id::kBias, add_result(Id::kBiased, !has_activation)});
  }
  if (has_activation) {
    const Id before = last;
    graph.nodes.push_back(relu(activation, before, add_result(Id::kDst, true)));
  }
  return graph;
}

Graph convolution_backward_data(const Conv2dProblem& p, DType dtype) {
  const cudnnDataType_t type = type_of(dtype);
  Convolution conv = convolution(p, Direction::kBackwardData);
  conv.src = Id::kDiffSrc;
  conv.dst = Id::kDiffDst;
  return {
      {{Id::kDiffSrc, src_sizes(p), type}, {Id::kWeights, weight_sizes(p), type}, {Id::kDiffDst, dst_sizes(p), type}},
      {conv}};
}

Graph convolution_backward_weights(const Conv2dProblem& p, DType dtype) {
  const cudnnDataType_t type = type_of(dtype);
  Convolution conv = convolution(p, Direction::kBackwardWeights);
  conv.dst = Id::kDiffDst;
  return {{{Id::kSrc, src_sizes(p), type},
           {Id::kWeights, weight_sizes(p), CUDNN_DATA_FLOAT},
           {Id::kDiffDst, dst_sizes(p), type}},
          {conv}};
}

Graph bias_gradient(const Conv2dProblem& p, DType dtype) {
  return {{{Id::kDiffDst, dst_sizes(p), type_of(dtype)}, {Id::kSum, per_filter(p), CUDNN_DATA_FLOAT}},
          {Sum{Id::kDiffDst, Id::kSum}}};
}

Graph max_pool_forward(const Pool2dProblem& p, DType dtype, bool wants_index) {
  Graph graph{{{Id::kSrc, src_sizes(p), type_of(dtype)}, {Id::kDst, dst_sizes(p), type_of(dtype)}}, {}};
  Pool node = pool(p, Pool::Kind::kMax);
  if (wants_index) {
    node.index = Id::kIndex;
    graph.tensors.push_back({Id::kIndex, dst_sizes(p), CUDNN_DATA_INT8});
  }
  graph.nodes.push_back(node);
  return graph;
}

Graph max_pool_backward(const Pool2dProblem& p, DType dtype) {
  Pool node = backward(pool(p, Pool::Kind::kMax));
  node.index = Id::kIndex;
  return {{{Id::kDiffSrc, src_sizes(p), type_of(dtype)},
           {Id::kDiffDst, dst_sizes(p), type_of(dtype)},
           {Id::kIndex, dst_sizes(p), CUDNN_DATA_INT8}},
          {node}};
}

Graph global_average_forward(const Pool2dProblem& p, DType dtype) {
  return {{{Id::kSrc, src_sizes(p), type_of(dtype)}, {Id::kDst, dst_sizes(p), type_of(dtype)}},
          {pool(p, Pool::Kind::kAverage)}};
}

Graph global_average_backward(const Pool2dProblem& p, DType dtype) {
  return {{{Id::kDiffSrc, src_sizes(p), type_of(dtype)}, {Id::kDiffDst, dst_sizes(p), type_of(dtype)}},
          {backward(pool(p, Pool::Kind::kAverage))}};
}

}  // namespace cudacards::cudnn
