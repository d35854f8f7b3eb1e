#include "host/train/stored_model.h"

#include <fmt/format.h>

#include "host/runtime/error.h"
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

StoredModel StoredModel::load(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  StoredModel model;
  model.checkpoint = read_checkpoint(file);
  const int classes = static_cast<int>(model.checkpoint.classes.size());
  model.graph =
      std::make_unique<Graph>(build_model(model.checkpoint.config.arch, model_spec(model.checkpoint.config, classes)));
  require_whole(file, *model.graph);
  model.parameters = std::make_unique<Parameters>(*model.graph);
  check_preprocessing(file, model.checkpoint, *model.graph);
  load_parameters(file, *model.parameters);
  return model;
}

}  // namespace cudacards
