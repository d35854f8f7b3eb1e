#include "host/train/model.h"

#include "host/train/checkpoint.h"
#include "models/registry.h"

namespace cudacards {

Model Model::load(const std::string& checkpoint, const ModelOptions& options) {
  const SafetensorsFile file = SafetensorsFile::open(checkpoint);
  const Checkpoint info = read_checkpoint(file);
  const int size = info.config.image_size;
  Model model;
  model.arch_ = info.config.arch;
  model.classes_ = info.classes;
  model.graph_ = std::make_unique<Graph>(
      build_model(model.arch_, {.height = size, .width = size, .classes = static_cast<int>(info.classes.size())}));
  model.parameters_ = std::make_unique<Parameters>(*model.graph_);
  check_preprocessing(file, info, *model.graph_);
  load_parameters(file, *model.parameters_);
  model.plan_ = std::make_unique<Plan>(
      Plan::make(*model.graph_, *model.parameters_,
                 {.batch = options.batch, .precision = options.precision, .mode = Mode::kInfer, .impl = options.impl}));
  return model;
}

}  // namespace cudacards
