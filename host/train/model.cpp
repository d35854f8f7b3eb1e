#include "host/train/model.h"

#include "host/train/stored_model.h"

namespace cudacards {

Model Model::load(const std::string& checkpoint, const ModelOptions& options) {
  StoredModel stored = StoredModel::load(checkpoint);
  Model model;
  model.arch_ = stored.checkpoint.config.arch;
  model.classes_ = stored.checkpoint.classes;
  model.graph_ = std::move(stored.graph);
  model.parameters_ = std::move(stored.parameters);
  options.impl.check(*model.graph_);
  model.device_ = std::make_unique<OpenDevice>(options.device);
  PlanOptions plan = {
      .batch = options.batch,
      .target = (*model.device_)->target(),
      .precision = options.precision.value_or(on_device(stored.checkpoint.config.precision, options.device.kind)),
      .mode = Mode::kInfer,
      .impl = options.impl};
  plan.tuning = tuning_for(*model.graph_, plan, **model.device_, options.tune);
  model.plan_ = std::make_unique<Plan>(Plan::make(*model.graph_, *model.parameters_, plan, **model.device_));
  return model;
}

}  // namespace cudacards
