#include "host/train/import_weights.h"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "host/data/files.h"
#include "host/runtime/error.h"
#include "host/train/calibrate.h"
#include "host/train/checkpoint.h"
#include "host/train/checkpoint_metadata.h"
#include "models/registry.h"
#include "weights/json_string.h"

namespace cudacards {
namespace {

constexpr const char* kArch = "mobilenetv2";

/// How many scores the file's classifier gives; nothing where it has none.
std::optional<int> classifier_outputs(const TensorSource& source, const Naming& naming) {
  const SourceTensor* bias = naming.find(source, "classifier/bias");
  if (bias == nullptr || naming.find(source, "classifier/weights") == nullptr) return std::nullopt;
  if (bias->shape.size() != 1 || bias->shape[0] < kImagenetLogits - 1 || bias->shape[0] > kImagenetLogits)
    return std::nullopt;
  return static_cast<int>(bias->shape[0]);
}

ModelSpec spec_of(const ImportOptions& options, float width, std::optional<int> outputs) {
  return {.height = options.image_size,
          .width = options.image_size,
          .classes = outputs.value_or(kCardClasses),
          .width_multiplier = width,
          .head = outputs ? Head::kImagenet : Head::kLinear};
}

int differing_shapes(const TensorSource& source, const Naming& naming, const Graph& graph) {
  int differing = 0;
  for (const Layer& layer : graph.layers()) {
    for (const ParameterSpec& spec : layer.parameters) {
      const std::string name = layer.name + "/" + spec.name;
      const SourceTensor* tensor = naming.find(source, name);
      if (tensor != nullptr && tensor->shape != foreign_shape(spec, name, naming.family->layout)) ++differing;
    }
  }
  return differing;
}

/// The width whose model the file's shapes fit best; what doesn't fit is told by the import.
float fitting_width(const TensorSource& source, const Naming& naming, const ImportOptions& options,
                    std::optional<int> outputs) {
  if (options.width) return *options.width;
  float best = 0;
  int fewest = std::numeric_limits<int>::max();
  for (const float width : mobilenet_widths()) {
    const int differing = differing_shapes(source, naming, build_model(kArch, spec_of(options, width, outputs)));
    if (differing < fewest) fewest = differing, best = width;
  }
  return best;
}

std::vector<std::string> class_names(const ImportOptions& options, int outputs) {
  std::vector<std::string> names = options.labels;
  if (names.empty()) {
    for (int i = 0; i < outputs; ++i) names.push_back(fmt::format("class {}", i));
  }
  // A list without the background serves a classifier that has one.
  if (static_cast<int>(names.size()) == outputs - 1) names.insert(names.begin(), "background");
  if (static_cast<int>(names.size()) != outputs) {
    throw Error(
        fmt::format("{} has a classifier of {} classes, the labels name {}", options.source, outputs, names.size()));
  }
  return names;
}

std::map<std::string, std::string> metadata_of(const ImportOptions& options, const ImportResult& result,
                                               const Graph& graph, const std::string& source_format) {
  std::map<std::string, std::string> metadata;
  if (result.info.classes.empty()) {
    metadata = weights_metadata(result.info);
  } else {
    Checkpoint checkpoint;
    checkpoint.classes = result.info.classes;
    checkpoint.preprocessing = preprocessing_of(graph);
    checkpoint.config.arch = kArch;
    checkpoint.config.width = result.info.width;
    checkpoint.config.head = Head::kImagenet;
    checkpoint.config.image_size = result.info.image_size;
    metadata = to_metadata(checkpoint, CheckpointKind::kInference);
  }
  metadata["source"] = fmt::format("{}, {} names", source_format, result.report.family);
  metadata["batch_norm"] = !result.report.folded ? "as trained"
                           : options.calibrate.empty()
                               ? "was folded: mean 0 and variance 1 are assumed"
                               : fmt::format("was folded: statistics of {} pictures", options.calibrate.size());
  return metadata;
}

}  // namespace

ImportResult import_weights(const ImportOptions& options, const WorkProgress& calibrated) {
  const auto source = open_tensor_source(options.source);
  const Naming naming = recognise_names(*source, mobilenet_name_families());
  const std::optional<int> outputs = classifier_outputs(*source, naming);
  const float width = fitting_width(*source, naming, options, outputs);
  if (!outputs && !options.labels.empty())
    throw UsageError(fmt::format("{} has no ImageNet classifier that labels could name", options.source));

  const Graph graph = build_model(kArch, spec_of(options, width, outputs));
  Parameters parameters(graph);
  parameters.initialise(0);
  const auto is_wanted = [](const Parameter& p) { return !p.name.starts_with("head/"); };
  ImportResult result;
  result.report = import_tensors(*source, naming, graph, parameters, is_wanted);
  result.info = {kArch, width, outputs ? Head::kImagenet : Head::kLinear, options.image_size,
                 outputs ? class_names(options, *outputs) : std::vector<std::string>{}};
  if (!options.calibrate.empty()) {
    if (!result.report.folded)
      throw UsageError(
          fmt::format("{} has its batch norms' own statistics: leave out the calibration", options.source));
    calibrate_batch_norms(graph, parameters, options.calibrate, calibrated);
  }

  std::vector<TensorView> tensors;
  for (const Parameter& p : parameters.list()) {
    if (is_wanted(p)) tensors.push_back(float_tensor(p.name, p.spec.shape.sizes(), parameters.values(p)));
  }
  write_safetensors(options.out, tensors, metadata_of(options, result, graph, source->format()));
  return result;
}

std::vector<std::string> read_labels(const std::string& path) {
  std::vector<std::uint8_t> bytes;
  try {
    bytes = read_file(path);
  } catch (const Error& error) {
    throw Error(fmt::format("cannot read the labels {}: {}", path, error.what()));
  }
  std::vector<std::string> names;
  std::map<std::string, int> count;
  for (auto at = bytes.begin(); at != bytes.end();) {
    const auto end = std::find(at, bytes.end(), '\n');
    std::string name(at, end);
    if (name.ends_with('\r')) name.pop_back();
    if (name.empty() || !is_utf8(name))
      throw Error(fmt::format("{}: line {} is {}", path, names.size() + 1, name.empty() ? "empty" : "not UTF-8"));
    ++count[name];
    names.push_back(std::move(name));
    at = end == bytes.end() ? end : end + 1;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (count.at(names[i]) > 1) names[i] += fmt::format(" ({})", i);
  }
  return names;
}

}  // namespace cudacards
