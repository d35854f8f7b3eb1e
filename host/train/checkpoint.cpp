#include "host/train/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/runtime/error.h"
#include "host/runtime/finite.h"
#include "host/runtime/listed.h"
#include "host/train/checkpoint_metadata.h"
#include "weights/json_string.h"

namespace cudacards {
namespace {

constexpr std::string_view kMoment1 = "optimizer/moment1/";
constexpr std::string_view kMoment2 = "optimizer/moment2/";
constexpr std::string_view kAverage = "average/";

/// Values laid out as Parameters::values(), stored as one tensor a parameter under `prefix`.
template <class Float>
struct Group {
  std::string_view prefix;
  std::span<Float> values;

  std::string name_of(const Parameter& p) const { return std::string(prefix) + p.name; }
  std::span<Float> values_of(const Parameter& p) const {
    return values.subspan(static_cast<std::size_t>(p.begin), static_cast<std::size_t>(p.end - p.begin));
  }
};

/// The groups of a `last` file; empty ones are not stored.
template <class Float>
std::vector<Group<Float>> groups_of(std::span<Float> values, std::span<Float> moment1, std::span<Float> moment2,
                                    std::span<Float> average) {
  std::vector<Group<Float>> groups = {{"", values}};
  for (const Group<Float>& group :
       {Group<Float>{kMoment1, moment1}, Group<Float>{kMoment2, moment2}, Group<Float>{kAverage, average}}) {
    if (group.values.empty()) continue;
    CUDACARDS_CHECK(group.values.size() == values.size(), "laid out as Parameters::values()");
    groups.push_back(group);
  }
  return groups;
}

void append_tensor(std::vector<TensorView>& tensors, const std::string& path, std::string name, const Parameter& p,
                   std::span<const float> values) {
  if (!all_finite(values.data(), DType::kF32, static_cast<std::int64_t>(values.size()))) {
    throw Error(fmt::format("{} is not saved: {} has a value that is NaN or infinite; a file saved before is intact",
                            path, name));
  }
  tensors.push_back(float_tensor(std::move(name), p.spec.shape.sizes(), values));
}

/// What differs between the tensors of a file and those that are wanted, as one Error.
class Differences {
 public:
  void compare(const SafetensorsFile& file, const std::string& name, const Parameter& p) {
    wanted_.push_back(name);
    const TensorView* tensor = file.find(name);
    if (tensor == nullptr) {
      missing_.push_back(name);
    } else if (tensor->shape != p.spec.shape.sizes()) {
      shapes_.push_back(
          fmt::format("{} ({}) instead of {}", name, fmt::join(tensor->shape, ", "), p.spec.shape.to_string()));
    }
  }

  template <class IsIgnored>
  void find_unknown(const SafetensorsFile& file, IsIgnored&& is_ignored) {
    std::sort(wanted_.begin(), wanted_.end());
    for (const TensorView& tensor : file.tensors()) {
      if (!is_ignored(tensor.name) && !std::binary_search(wanted_.begin(), wanted_.end(), tensor.name)) {
        unknown_.push_back(in_quotes(tensor.name));
      }
    }
  }

  void throw_if_any(const SafetensorsFile& file) const {
    std::vector<std::string> parts;
    if (!missing_.empty()) parts.push_back("missing are " + listed(missing_));
    if (!unknown_.empty()) parts.push_back("not in the model are " + listed(unknown_));
    if (!shapes_.empty()) parts.push_back("of another shape are " + listed(shapes_));
    if (!parts.empty()) throw Error(fmt::format("{} does not fit this model: {}", file.path(), fmt::join(parts, "; ")));
  }

 private:
  std::vector<std::string> wanted_, missing_, unknown_, shapes_;
};

template <class IsIgnored>
void load_groups(const SafetensorsFile& file, Parameters& parameters, const std::vector<Group<float>>& groups,
                 IsIgnored&& is_ignored) {
  Differences differences;
  const auto for_each_tensor = [&](auto&& use) {
    for (const auto& group : groups) {
      for (const Parameter& p : parameters.list()) use(group, p);
    }
  };
  for_each_tensor([&](const auto& group, const Parameter& p) { differences.compare(file, group.name_of(p), p); });
  differences.find_unknown(file, is_ignored);
  differences.throw_if_any(file);
  // All are checked before the first is written, so that a bad file leaves the model as it was.
  for_each_tensor(
      [&](const auto& group, const Parameter& p) { file.check_floats(group.name_of(p), p.spec.shape.sizes()); });
  for_each_tensor([&](const auto& group, const Parameter& p) {
    file.read_floats(group.name_of(p), p.spec.shape.sizes(), group.values_of(p));
  });
  parameters.touch();
}

bool is_optimizer_state(std::string_view name) {
  return name.starts_with(kMoment1) || name.starts_with(kMoment2) || name.starts_with(kAverage);
}

}  // namespace

Preprocessing preprocessing_of(const Graph& graph) {
  Preprocessing preprocessing;
  for (const Layer& layer : graph.layers()) {
    if (const auto* rescale = dynamic_cast<const Rescale*>(layer.operation.get())) {
      preprocessing.scale = rescale->scale;
      preprocessing.offset = rescale->offset;
    }
  }
  return preprocessing;
}

void save_last(const std::string& path, const Parameters& parameters, std::span<const float> moment1,
               std::span<const float> moment2, std::span<const float> average, const Checkpoint& checkpoint) {
  std::vector<TensorView> tensors;
  for (const auto& group : groups_of<const float>(parameters.values(), moment1, moment2, average)) {
    for (const Parameter& p : parameters.list()) append_tensor(tensors, path, group.name_of(p), p, group.values_of(p));
  }
  write_safetensors(path, tensors, to_metadata(checkpoint, CheckpointKind::kResume));
}

void save_best(const std::string& path, const Parameters& parameters, std::span<const float> values,
               const Checkpoint& checkpoint) {
  CUDACARDS_CHECK(values.size() == parameters.values().size(), "laid out as Parameters::values()");
  const Group<const float> trained{"", values};
  std::vector<TensorView> tensors;
  for (const Parameter& p : parameters.list()) {
    append_tensor(tensors, path, p.name, p, p.moves ? trained.values_of(p) : parameters.values(p));
  }
  write_safetensors(path, tensors, to_metadata(checkpoint, CheckpointKind::kInference));
}

Checkpoint read_checkpoint(const SafetensorsFile& file) {
  return checkpoint_from_metadata(file.metadata(), file.path());
}

Checkpoint read_checkpoint(const std::string& path) { return read_checkpoint(SafetensorsFile::open(path)); }

void load_parameters(const SafetensorsFile& file, Parameters& parameters) {
  load_groups(file, parameters, {{"", parameters.values()}}, is_optimizer_state);
}

void load_last(const SafetensorsFile& file, Parameters& parameters, std::span<float> moment1, std::span<float> moment2,
               std::span<float> average) {
  if (kind_from_metadata(file.metadata(), file.path()) != CheckpointKind::kResume) {
    throw Error(fmt::format("{} has weights for inference only: resume from the run's last.safetensors", file.path()));
  }
  load_groups(file, parameters, groups_of<float>(parameters.values(), moment1, moment2, average),
              [](std::string_view) { return false; });
}

void check_preprocessing(const SafetensorsFile& file, const Checkpoint& checkpoint, const Graph& graph) {
  const Preprocessing built = preprocessing_of(graph);
  const Preprocessing& saved = checkpoint.preprocessing;
  if (saved == built) return;
  throw Error(
      fmt::format("{} was trained on pictures prepared as ({}; times {} plus {}), this version's {} prepares ({}; "
                  "times {} plus {})",
                  file.path(), saved.resize, saved.scale, saved.offset, checkpoint.config.arch, built.resize,
                  built.scale, built.offset));
}

void check_classes(const SafetensorsFile& file, const Checkpoint& checkpoint, const std::vector<std::string>& found,
                   const std::string& where) {
  std::vector<std::string> unknown;
  for (const std::string& name : found) {
    if (std::find(checkpoint.classes.begin(), checkpoint.classes.end(), name) == checkpoint.classes.end())
      unknown.push_back(in_quotes(name));
  }
  if (unknown.empty()) return;
  throw Error(fmt::format("{} knows {} classes, {} has {}: {} {} unknown to the model", file.path(),
                          checkpoint.classes.size(), where, found.size(), listed(unknown),
                          unknown.size() == 1 ? "is" : "are"));
}

}  // namespace cudacards
