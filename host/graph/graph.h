#pragma once
// A model as a description: layers, and which feeds which. Building one checks shapes at once and names the layer that
// is wrong.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/ops/ops.h"

namespace cudacards {

/// A layer's result, to be passed on. Cheap to copy; belongs to the graph that made it.
struct Node {
  int id = -1;
};

struct Layer {
  std::string name;                            // unique: "conv2d", "conv2d_1", ... as Keras counts
  std::shared_ptr<const Operation> operation;  // null for the input
  std::vector<int> inputs;                     // ids of layers, all smaller than this layer's own
  Shape shape;                                 // with batch 1
  std::vector<ParameterSpec> parameters;
  bool trainable = true;    // false: frozen, its parameters keep their values
  float rate_scale = 1.0f;  // its learning rate is the run's times this
};

/// What the input is. A picture is uint8 (N,H,W,3) and must pass a rescale; a tensor is fp32 (N, ...).
enum class InputKind : std::uint8_t { kImage, kTensor };

class Graph {
 public:
  Node image(int height, int width);
  Node input(const Shape& shape_without_batch);

  Node rescale(Node src, float scale, float offset = 0.0f);
  Node conv2d(Node src, const Conv2dOptions& options);
  /// One filter a channel: groups = C, filters = C.
  Node depthwise_conv2d(Node src, Conv2dOptions options);
  Node max_pool(Node src, const Pool2dOptions& options = {});
  Node global_average_pool(Node src);
  Node flatten(Node src);
  Node dense(Node src, int units, Activation activation = Activation::kNone);
  Node activation(Node src, Activation activation);
  Node softmax(Node src);
  Node dropout(Node src, float rate);
  Node batch_norm(Node src, float momentum = 0.99f, float epsilon = 1e-3f);
  Node add(Node a, Node b);
  /// Any operation, also one that this class doesn't know.
  Node apply(const std::shared_ptr<const Operation>& operation, const std::vector<Node>& inputs);

  /// Names the layer that was added last.
  Graph& named(std::string name);
  /// Declares the result: (N, classes) scores before the softmax. Returns the graph, so that a builder can end with it.
  Graph&& logits(Node result) &&;
  Graph& logits(Node result) &;

  /// Freezes or thaws the layers whose names start with `prefix` ("": all). Returns how many layers with parameters
  /// matched.
  int set_trainable(const std::string& prefix, bool trainable);
  /// The same for the learning rate.
  int set_rate_scale(const std::string& prefix, float rate_scale);

  /// What lies above `input`, whose results become the tensor input. Layers keep their places, names and parameters, so
  /// that Parameters of either graph serve the other; those below are no longer computed.
  Graph above(Node input) const;

  const std::vector<Layer>& layers() const { return layers_; }
  const Layer& layer(Node node) const;
  int input() const;  // the last layer without an operation
  int result() const { return result_; }
  InputKind input_kind() const { return input_kind_; }
  Shape input_shape() const;  // with batch 1
  int classes() const;

  std::int64_t parameter_count() const;
  std::int64_t trainable_count() const;

 private:
  Node add_input(const Shape& shape, InputKind kind);
  std::string unique_name(const std::string& stem) const;
  std::vector<Layer> layers_;
  int result_ = -1;
  InputKind input_kind_ = InputKind::kImage;
};

}  // namespace cudacards
