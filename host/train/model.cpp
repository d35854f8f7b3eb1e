#include "host/train/model.h"

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/train/checkpoint.h"
#include "models/registry.h"

namespace cudacards {

namespace {

// Before memory is taken for a size that only the metadata claim.
void require_whole(const SafetensorsFile& file, const Graph& graph) {
  std::int64_t values = 0;
  for (const auto& tensor : file.tensors()) values += Shape(tensor.shape).elements();
  if (values < graph.parameter_count()) {
    throw Error(
        fmt::format("{}: holds {} values, but the model that it describes has {} parameters: the file was changed or "
                    "is no checkpoint",
                    file.path(), values, graph.parameter_count()));
  }
}

}  // namespace

Model Model::load(const std::string& checkpoint, const ModelOptions& options) {
  const SafetensorsFile file = SafetensorsFile::open(checkpoint);
  const Checkpoint info = read_checkpoint(file);
  Model model;
  model.arch_ = info.config.arch;
  model.classes_ = info.classes;
  model.graph_ =
      std::make_unique<Graph>(build_model(model.arch_, model_spec(info.config, static_cast<int>(info.classes.size()))));
  require_whole(file, *model.graph_);
  model.parameters_ = std::make_unique<Parameters>(*model.graph_);
  check_preprocessing(file, info, *model.graph_);
  load_parameters(file, *model.parameters_);
  options.impl.check(*model.graph_);
  model.device_ = std::make_unique<OpenDevice>(options.device);
  PlanOptions plan = {.batch = options.batch,
                      .target = (*model.device_)->target(),
                      .precision = options.precision.value_or(on_device(info.config.precision, options.device.kind)),
                      .mode = Mode::kInfer,
                      .impl = options.impl};
  plan.tuning = tuning_for(*model.graph_, plan, **model.device_, options.tune);
  model.plan_ = std::make_unique<Plan>(Plan::make(*model.graph_, *model.parameters_, plan, **model.device_));
  return model;
}

}  // namespace cudacards
