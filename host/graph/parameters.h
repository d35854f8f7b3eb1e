#pragma once
// All parameters of a model in one fp32 buffer, all gradients in another: one optimizer launch, one checkpoint, one
// hash.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/ops/optimizer.h"
#include "host/runtime/buffer.h"

namespace cudacards {

struct Parameter {
  std::string name;  // "conv2d/weights"
  int layer = 0;     // index in Graph::layers()
  ParameterSpec spec;
  std::int64_t begin = 0, end = 0;  // elements in the buffers
  bool trainable = true;            // the layer is not frozen and the parameter is not a statistic
  bool moves = true;                // trainable, or a statistic of a layer that is not frozen
  float rate_scale = 1.0f;          // its learning rate is the run's times this
};

class Parameters {
 public:
  explicit Parameters(const Graph& graph);
  /// What size() would be, without taking the memory.
  static std::int64_t size_of(const Graph& graph);

  /// Draws every parameter from its initialiser. Parameter i's element e uses random4(seed, kInitialise, 0, i, e / 4).
  void initialise(std::uint64_t seed);

  const std::vector<Parameter>& list() const { return list_; }
  const Parameter* find(const std::string& name) const;
  std::span<float> values() { return values_.as<float>(); }
  std::span<const float> values() const { return values_.as<float>(); }
  std::span<float> values(const Parameter& p) {
    return values().subspan(static_cast<std::size_t>(p.begin), static_cast<std::size_t>(p.end - p.begin));
  }
  std::span<const float> values(const Parameter& p) const {
    return values().subspan(static_cast<std::size_t>(p.begin), static_cast<std::size_t>(p.end - p.begin));
  }
  /// Runs of parameters for the optimizer, neighbours merged: those that are trainable, and where it keeps an average
  /// also moving statistics, with rate 0, at which it leaves them alone and averages them.
  std::vector<OptimizerSegment> segments(MovingAverage average = MovingAverage::kNone) const;
  std::int64_t size() const { return size_; }

  /// To be called after anything but a plan has written values(): packed copies of the plans are made again.
  void touch() { ++version_; }
  std::uint64_t version() const { return version_; }

 private:
  std::vector<Parameter> list_;
  Buffer values_;
  std::int64_t size_ = 0;
  std::uint64_t version_ = 1;
};

}  // namespace cudacards
