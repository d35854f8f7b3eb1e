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
  if (tensor.is_number) d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true);
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

cudnnPointwiseMode_t mode_of(Pointwise::Kind kind) {
  switch (kind) {
    case Pointwise::Kind::kAdd:
      break;
    case Pointwise::Kind::kSubtract:
      return CUDNN_POINTWISE_SUB;
    case Pointwise::Kind::kMultiply:
      return CUDNN_POINTWISE_MUL;
    case Pointwise::Kind::kReciprocalRoot:
      return CUDNN_POINTWISE_RSQRT;
  }
  return CUDNN_POINTWISE_ADD;
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

void Operations::add(const Pointwise& node) {
  Descriptor description(cudnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  description.set(CUDNN_ATTR_POINTWISE_MODE, mode_of(node.kind));
  description.set(CUDNN_ATTR_POINTWISE_MATH_PREC, kCompute);
  description.finalize("describing arithmetic element by element");

  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, description);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(node.src));
  if (node.other != Id::kNone) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensor(node.other));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(node.dst));
  operation.finalize("arithmetic element by element");
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

// Nothing of a running average: cuDNN's is of the unbiased variance.
void Operations::add(const NormForward& node) {
  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_BATCH_NORM);
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_NORM_FWD_TRAINING);
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, tensor(node.src));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, tensor(node.gamma));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, tensor(node.beta));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, tensor(node.epsilon));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, tensor(node.mean));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, tensor(node.rstd));
  operation.set(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, tensor(node.dst));
  operation.finalize("a batch norm");
  operations_.push_back(std::move(operation));
}

void Operations::add(const NormBackward& node) {
  Descriptor operation(cudnn_, CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_BATCH_NORM);
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, tensor(node.src));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, tensor(node.diff_dst));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC, tensor(node.gamma));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC, tensor(node.mean));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC, tensor(node.rstd));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, tensor(node.diff_src));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC, tensor(node.diff_gamma));
  operation.set(CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC, tensor(node.diff_beta));
  operation.finalize("the gradients of a batch norm");
  operations_.push_back(std::move(operation));
}

}  // namespace cudacards::cudnn
