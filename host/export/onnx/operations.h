#pragma once
// Each operation of ours as ONNX nodes.

#include <optional>
#include <vector>

#include "host/export/onnx/node_list.h"
#include "host/graph/fusion.h"
#include "host/graph/parameters.h"
#include "host/ops/folded_conv2d.h"

namespace cudacards::onnx_export {

/// The graph's one input.
inline constexpr const char* kPixels = "pixels";

/// Writes steps in order, each to nodes and constants with the names of its first layer.
class Writer {
 public:
  Writer(const Graph& graph, const Parameters& parameters, std::vector<FusedStep> steps, NodeList& nodes);

  /// The result's name. Throws Error naming the layer whose operation has no ONNX form.
  std::string write();

 private:
  std::string write_step(const FusedStep& step);
  std::string write(const Rescale& op);
  std::string write(const Conv2d& op, std::span<const float> weights, std::span<const float> bias);
  std::string write(const FoldedConv2d& op);
  std::string write(const MaxPool2d& op, const std::string& src);
  std::string write(const GlobalAveragePool2d& op);
  std::string write(const Flatten& op);
  std::string write(const Dense& op);
  std::string write(const Softmax& op);
  std::string write(const Add& op);
  std::string write(const BatchNorm& op);
  std::string write(Activation activation, const std::string& src);

  std::string name(const std::string& part) const;                   // "<first layer>/<part>"
  const std::string& src(std::size_t i = 0) const;                   // a name
  const Shape& src_shape() const;                                    // (1,H,W,C) or (1,columns)
  std::optional<Shape> src_picture() const;                          // that a flattened source was
  std::vector<float> in_order(std::span<const float> values) const;  // of columns of the source
  std::string constant(const std::string& part, const Integers& shape, std::span<const float> values);

  const Graph& graph_;
  const Parameters& parameters_;
  const std::vector<FusedStep> steps_;
  NodeList& nodes_;
  const bool channels_first_;
  std::vector<std::optional<Shape>> pictures_;  // flattened_pictures()
  std::vector<std::string> values_;             // of the steps so far
  std::string input_;                           // the graph's input as the layers want it

  // Of the step that is being written.
  const FusedStep* step_ = nullptr;
  std::vector<std::span<const float>> values_of_parameters_;
};

}  // namespace cudacards::onnx_export
