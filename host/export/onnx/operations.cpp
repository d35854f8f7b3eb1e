#include "host/export/onnx/operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/export/channels_first.h"
#include "host/runtime/error.h"

namespace cudacards::onnx_export {
namespace {

template <class... Operations>
bool is_one_of(const Operation& operation) {
  return (... || (dynamic_cast<const Operations*>(&operation) != nullptr));
}

std::vector<std::span<const float>> values_of(const FusedStep& step, const Parameters& parameters) {
  std::vector<std::span<const float>> values;
  for (const int layer : step.layers) {
    for (const Parameter& p : parameters.list()) {
      if (p.layer == layer) values.push_back(parameters.values(p));
    }
  }
  return values;
}

/// True where a layer that leads to the result looks at neighbours or at channels: pictures are (N,C,H,W) in the ONNX
/// graph then, else they stay (N,H,W,C).
bool wants_channels_first(const std::vector<FusedStep>& steps, const Graph& graph) {
  return std::any_of(steps.begin(), steps.end(), [&](const FusedStep& step) {
    const Layer& layer = graph.layers()[static_cast<std::size_t>(step.layers.front())];
    return is_one_of<Conv2d, FoldedConv2d, MaxPool2d, GlobalAveragePool2d>(*step.operation) ||
           (layer.shape.rank() == 4 && is_one_of<BatchNorm>(*step.operation));
  });
}

}  // namespace

Writer::Writer(const Graph& graph, const Parameters& parameters, std::vector<FusedStep> steps, NodeList& nodes)
    : graph_(graph),
      parameters_(parameters),
      steps_(std::move(steps)),
      nodes_(nodes),
      channels_first_(wants_channels_first(steps_, graph)),
      pictures_(channels_first_ ? flattened_pictures(graph)
                                : std::vector<std::optional<Shape>>(graph.layers().size())) {}

std::string Writer::write() {
  const bool is_picture = graph_.input_shape().rank() == 4;
  input_ = channels_first_ && is_picture
               ? nodes_.add("Transpose", "channels_first", {kPixels}, {{"perm", Integers{0, 3, 1, 2}}})
               : kPixels;
  for (const FusedStep& step : steps_) {
    step_ = &step;
    values_of_parameters_ = values_of(step, parameters_);
    values_.push_back(write_step(step));
  }
  return values_.empty() ? input_ : values_.back();
}

std::string Writer::write_step(const FusedStep& step) {
  const Operation& operation = *step.operation;
  if (const auto* op = dynamic_cast<const Rescale*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const Conv2d*>(&operation)) {
    const auto bias = op->options.bias ? values_of_parameters_[1] : std::span<const float>();
    return write(*op, values_of_parameters_[0], bias);
  }
  if (const auto* op = dynamic_cast<const FoldedConv2d*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const MaxPool2d*>(&operation)) return write(*op, src());
  if (const auto* op = dynamic_cast<const GlobalAveragePool2d*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const Flatten*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const Dense*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const ActivationLayer*>(&operation)) return write(op->activation, src());
  if (const auto* op = dynamic_cast<const Softmax*>(&operation)) return write(*op);
  if (is_one_of<Dropout>(operation)) return src();
  if (const auto* op = dynamic_cast<const Add*>(&operation)) return write(*op);
  if (const auto* op = dynamic_cast<const BatchNorm*>(&operation)) return write(*op);
  throw Error(fmt::format("{}: {} has no ONNX form",
                          graph_.layers()[static_cast<std::size_t>(step.layers.front())].name, operation.kind()));
}

// ---- what a step is made of

std::string Writer::name(const std::string& part) const {
  const std::string& layer = graph_.layers()[static_cast<std::size_t>(step_->layers.front())].name;
  return part.empty() ? layer : layer + "/" + part;
}

const std::string& Writer::src(std::size_t i) const {
  const int step = step_->inputs[i];
  return step < 0 ? input_ : values_[static_cast<std::size_t>(step)];
}

const Shape& Writer::src_shape() const {
  const Layer& layer = graph_.layers()[static_cast<std::size_t>(step_->layers.front())];
  return graph_.layers()[static_cast<std::size_t>(layer.inputs.front())].shape;
}

std::optional<Shape> Writer::src_picture() const {
  const Layer& layer = graph_.layers()[static_cast<std::size_t>(step_->layers.front())];
  return pictures_[static_cast<std::size_t>(layer.inputs.front())];
}

std::vector<float> Writer::in_order(std::span<const float> values) const {
  const auto picture = src_picture();
  return picture ? channels_first(values, *picture) : std::vector<float>(values.begin(), values.end());
}

std::string Writer::constant(const std::string& part, const Integers& shape, std::span<const float> values) {
  return nodes_.constant(name(part), shape, values);
}

// ---- the operations

// Cast, multiply, add: in this order our own arithmetic, to the bit.
std::string Writer::write(const Rescale& op) {
  std::string value = nodes_.add("Cast", name("to_float"), {src()}, {{"to", std::int64_t{onnx::TensorProto::FLOAT}}});
  value = nodes_.add("Mul", name(op.offset == 0 ? "" : "times"), {value, constant("scale", {}, {&op.scale, 1})});
  if (op.offset == 0) return value;
  return nodes_.add("Add", name(""), {value, constant("offset", {}, {&op.offset, 1})});
}

std::string Writer::write(const Conv2d& op, std::span<const float> weights, std::span<const float> bias) {
  const Conv2dProblem p = op.problem(src_shape());
  const Shape filter{p.k, p.r, p.s, p.c_per_group()};
  std::vector<std::string> inputs = {
      src(), constant("weights", {p.k, p.c_per_group(), p.r, p.s}, channels_first(weights, filter))};
  if (!bias.empty()) inputs.push_back(constant("bias", {p.k}, bias));
  const std::string value = nodes_.add("Conv", name(""), inputs,
                                       {{"kernel_shape", Integers{p.r, p.s}},
                                        {"strides", Integers{p.stride_h, p.stride_w}},
                                        {"pads", Integers{p.pad.top, p.pad.left, p.pad.bottom, p.pad.right}},
                                        {"group", std::int64_t{p.groups}}});
  const std::string activated = write(op.options.activation, value);
  return op.pool ? write(MaxPool2d(*op.pool), activated) : activated;
}

std::string Writer::write(const FoldedConv2d& op) {
  std::vector<const float*> parameters;
  for (const auto values : values_of_parameters_) parameters.push_back(values.data());
  const bool has_bias = op.conv.options.bias;
  std::vector<float> weights(values_of_parameters_.front().size()), bias(values_of_parameters_.back().size());
  fold_batch_norm(parameters, has_bias, op.epsilon, weights, bias);
  return write(op.whole, weights, bias);
}

std::string Writer::write(const MaxPool2d& op, const std::string& src) {
  return nodes_.add("MaxPool", name(dynamic_cast<const MaxPool2d*>(step_->operation.get()) ? "" : "pool"), {src},
                    {{"kernel_shape", Integers{op.options.window.h, op.options.window.w}},
                     {"strides", Integers{op.options.step().h, op.options.step().w}}});
}

std::string Writer::write(const GlobalAveragePool2d&) {
  const std::string mean = nodes_.add("GlobalAveragePool", name("mean"), {src()});  // (N,C,1,1)
  return nodes_.add("Flatten", name(""), {mean}, {{"axis", std::int64_t{1}}});
}

std::string Writer::write(const Flatten&) {
  return nodes_.add("Flatten", name(""), {src()}, {{"axis", std::int64_t{1}}});
}

std::string Writer::write(const Dense& op) {
  const std::int64_t columns = src_shape()[1];
  std::vector<std::string> inputs = {src(),
                                     constant("weights", {op.units, columns}, in_order(values_of_parameters_[0]))};
  if (op.bias) inputs.push_back(constant("bias", {op.units}, values_of_parameters_[1]));
  return write(op.activation, nodes_.add("Gemm", name(""), inputs, {{"transB", std::int64_t{1}}}));
}

std::string Writer::write(const Softmax&) {
  const std::int64_t axis = src_shape().rank() == 4 && channels_first_ ? 1 : -1;
  return nodes_.add("Softmax", name(""), {src()}, {{"axis", axis}});
}

std::string Writer::write(const Add&) { return nodes_.add("Add", name(""), {src(0), src(1)}); }

std::string Writer::write(const BatchNorm& op) {
  if (const int rank = src_shape().rank(); rank != 2 && rank != 4)
    throw Error(fmt::format("{}: a batch norm of {} has no ONNX form", name(""), src_shape().to_string()));
  const char* parts[] = {"gamma", "beta", "mean", "variance"};
  std::vector<std::string> inputs = {src()};
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    const std::vector<float> values = in_order(values_of_parameters_[i]);
    inputs.push_back(constant(parts[i], {static_cast<std::int64_t>(values.size())}, values));
  }
  return write(op.activation, nodes_.add("BatchNormalization", name(""), inputs, {{"epsilon", op.epsilon}}));
}

std::string Writer::write(Activation activation, const std::string& src) {
  const std::string part = dynamic_cast<const ActivationLayer*>(step_->operation.get()) ? "" : name_of(activation);
  switch (activation) {
    case Activation::kNone:
      return src;
    case Activation::kRelu:
      return nodes_.add("Relu", name(part), {src});
    case Activation::kRelu6: {
      const float least = 0, most = 6;
      return nodes_.add("Clip", name(part),
                        {src, constant("least", {}, {&least, 1}), constant("most", {}, {&most, 1})});
    }
  }
  throw Error(fmt::format("{}: the activation {} has no ONNX form", name(""), name_of(activation)));
}

}  // namespace cudacards::onnx_export
