#pragma once
// A trained model from a checkpoint, ready for inference.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/graph/parameters.h"
#include "host/graph/plan.h"
#include "host/runtime/device_choice.h"
#include "host/train/tuning.h"

namespace cudacards {

struct ModelOptions {
  int batch = 32;
  std::optional<Precision>
      precision;  // default: the one that it was trained and validated in, and fp32 for tf32 on the CPU
  ImplRules impl;
  Tune tune = Tune::kAuto;
  DeviceChoice device;
};

/// Graph, parameters and inference plan of one checkpoint. Movable; the plan refers to the parameters and the device
/// beside it.
class Model {
 public:
  static Model load(const std::string& checkpoint, const ModelOptions& options);

  const std::vector<std::string>& classes() const { return classes_; }
  const std::string& arch() const { return arch_; }
  int height() const { return static_cast<int>(graph_->input_shape()[1]); }
  int width() const { return static_cast<int>(graph_->input_shape()[2]); }
  Plan& plan() { return *plan_; }

 private:
  std::string arch_;
  std::vector<std::string> classes_;
  std::unique_ptr<OpenDevice> device_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Parameters> parameters_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace cudacards
