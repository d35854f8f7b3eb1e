#include "host/ops/vendor/cudnn/operations.h"

#include <limits>

namespace cudacards::cudnn {
namespace {

// Sums are taken in fp32 whatever the tensors hold.
constexpr cudnnDataType_t kCompute = CUDNN_DATA_FLOAT;
constexpr float kOne = 1, kZero = 0;  // scaling factors of a convolution: of its compute type

Descriptor tensor_descriptor(const Functions& cudnn, const Tensor& tensor) {
  Descriptor d(cudnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<std::int64_t>(tensor.id));
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, tensor.type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.sizes);
  d.set(CUDNN_ATTR_TENSOR_STRIDES, channels_last(tensor.sizes));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kTensorAlignment);
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, tensor.is_virtual);
  d.finalize("describing a tensor");
  return d;
}

// The names of one convolution's attributes in each direction. cuDNN calls the tensors of a gradient by the role that
// they have forward, with a d in front.
struct ConvolutionNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, description, src, weights, dst;
};

ConvolutionNames names_of(Direction direction) {
  switch (direction) {
    case Direction::kForward:
      break;
    case Direction::kBackwardData:
      return {.type = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              .alpha = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              .beta = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
              .description = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              .src = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              .weights = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              .dst = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
    case Direction::kBackwardWeights:
      return {.type = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              .alpha = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              .beta = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
              .description = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              .src = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              .weights = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              .dst = CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
  }
  return {.type = CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
          .alpha = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
          .beta = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
          .description = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
          .src = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
          .weights = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
          .dst = CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
}

std::array<cudnnFraction_t, 2> fractions(const Pair& pair) { return {{{pair[0], 1}, {pair[1], 1}}}; }

}  // namespace

Operations::Operations(const Functions& cudnn, const Graph& graph) : cudnn_(cudnn) {
  for (const Tensor& tensor : graph.tensors) tensors_.emplace(tensor.id, tensor_descriptor(cudnn, tensor));
  for (const Node& node : graph.nodes) std::visit([this](const auto& n) { add(n); }, node);
}

std::vector<const Descriptor*> Operations::all() const {
  std::vector<const Descriptor*> all;
  for (const Descriptor& operation : operations_) all.push_back(&operation);
  return all;
}

void Operations::add(const Convolution& node) {
  Descriptor description(cudnn_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  description.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  description.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, kCompute);
  description.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  description.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Pair{1, 1});
  description.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, node.stride);
  description.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, node.pad_before);
  description.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, node.pad_after);
  description.finalize("describing a convolution");

  const ConvolutionNames names = names_of(node.direction);
  Descriptor operation(cudnn_, names.type);
  operation.set(names.description, description);
  operation.set(names.src, tensor(node.src));
  operation.set(names.weights, tensor(node.weights));
  operation.set(names.dst, tensor(node.dst));
  operation.set(names.alpha, kOne);
  operation.set(names.beta, kZero);
  operation.finalize("a convolution");
  parts_.push_back(std::move(description));
  operations_.push_back(std::move(operation));
}

void Operations::add(const AddBias& node) {
  Descriptor description(cudnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  description.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
  description.set(CUDNN_ATTR_POINTWISE_MATH_PREC, kCompute);
  description.finalize("describing a sum with the bias");

  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, description);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(node.src));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensor(node.other));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(node.dst));
  operation.finalize("a sum with the bias");
  parts_.push_back(std::move(description));
  operations_.push_back(std::move(operation));
}

void Operations::add(const Relu& node) {
  Descriptor description(cudnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  description.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_RELU_FWD);
  description.set(CUDNN_ATTR_POINTWISE_MATH_PREC, kCompute);
  description.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
  description.set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0.0);
  if (node.upper) description.set(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, *node.upper);
  description.finalize("describing a ReLU");

  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, description);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(node.src));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(node.dst));
  operation.finalize("a ReLU");
  parts_.push_back(std::move(description));
  operations_.push_back(std::move(operation));
}

void Operations::add(const Sum& node) {
  Descriptor description(cudnn_, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  description.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_REDUCE_TENSOR_ADD);
  description.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, kCompute);
  description.finalize("describing a sum");

  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, description);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, tensor(node.src));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, tensor(node.dst));
  operation.finalize("a sum");
  parts_.push_back(std::move(description));
  operations_.push_back(std::move(operation));
}

void Operations::add(const Pool& node) {
  const bool is_max = node.kind == Pool::Kind::kMax;
  Descriptor description(cudnn_, CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
  description.set(CUDNN_ATTR_RESAMPLE_MODE, is_max ? CUDNN_RESAMPLE_MAXPOOL : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING);
  description.set(CUDNN_ATTR_RESAMPLE_COMP_TYPE, kCompute);
  description.set(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
  description.set(CUDNN_ATTR_RESAMPLE_PADDING_MODE, is_max ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD);
  description.set(CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, std::int64_t{2});
  description.set(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, fractions(node.window));
  description.set(CUDNN_ATTR_RESAMPLE_STRIDES, fractions(node.stride));
  description.set(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, fractions({0, 0}));
  description.set(CUDNN_ATTR_RESAMPLE_POST_PADDINGS, fractions({0, 0}));
  description.finalize("describing a pool");

  // Scaling factors are doubles here, unlike a convolution's.
  Descriptor operation(cudnn_, node.backward ? CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR
                                             : CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
  if (node.backward) {
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, description);
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC, tensor(node.src));
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC, tensor(node.dst));
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_ALPHA, 1.0);
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_BETA, 0.0);
    if (node.index != Id::kNone) operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC, tensor(node.index));
  } else {
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, description);
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, tensor(node.src));
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, tensor(node.dst));
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_ALPHA, 1.0);
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_BETA, 0.0);
    if (node.index != Id::kNone) operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC, tensor(node.index));
  }
  operation.finalize("a pool");
  parts_.push_back(std::move(description));
  operations_.push_back(std::move(operation));
}

}  // namespace cudacards::cudnn
