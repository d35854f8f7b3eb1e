#include "tests/support/small_checkpoint.h"

#include "host/train/checkpoint.h"
#include "models/registry.h"

namespace cudacards::testing_support {

void write_checkpoint(const std::string& path, const std::string& arch, int side,
                      const std::vector<std::string>& classes) {
  Checkpoint checkpoint;
  checkpoint.config.arch = arch;
  checkpoint.config.image_size = side;
  if (arch == "mobilenetv2") checkpoint.config.width = 0.35f;
  checkpoint.classes = classes;
  const Graph graph = build_model(arch, model_spec(checkpoint.config, static_cast<int>(classes.size())));
  checkpoint.preprocessing = preprocessing_of(graph);
  Parameters parameters(graph);
  parameters.initialise(1);
  save_best(path, parameters, parameters.values(), checkpoint);
}

}  // namespace cudacards::testing_support
