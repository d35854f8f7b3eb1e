#include "host/train/verify_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "host/runtime/error.h"
#include "host/train/weights_file.h"
#include "models/registry.h"
#include "weights/tensor_source.h"

namespace cudacards {
namespace {

bool is_our_own(const TensorSource& source) {
  const auto format = source.metadata().find("format");
  return format != source.metadata().end() && format->second.starts_with("cudacards-");
}

std::string check_against_model(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const WeightsInfo info = read_weights_info(file);
  const Graph graph = build_model(info.arch, info.spec());
  std::size_t tensors = 0;
  for (const Layer& layer : graph.layers()) {
    if (info.classes.empty() && layer.name.starts_with("head")) continue;
    for (const ParameterSpec& spec : layer.parameters) {
      file.check_floats(layer.name + "/" + spec.name, spec.shape.sizes());
      ++tensors;
    }
  }
  return fmt::format("{} tensors of {}{}", tensors, info.arch,
                     info.classes.empty() ? ", features only" : fmt::format(" for {} classes", info.classes.size()));
}

std::string check_values(const TensorSource& source) {
  for (const SourceTensor& tensor : source.tensors()) {
    if (tensor.is_float) source.check_finite(tensor);
  }
  return fmt::format("{}, {} tensors, all finite", source.format(), source.tensors().size());
}

}  // namespace

std::string verify_weights(const std::string& path, const std::vector<ManifestEntry>& entries) {
  const std::filesystem::path file(path);
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const ManifestEntry& e) { return e.file == file.filename().string(); });
  if (entry != entries.end()) {
    verify_download(path, *entry);
    return fmt::format("size and SHA-256 of {}", entry->name);
  }
  const auto source = open_tensor_source(path);
  return is_our_own(*source) ? check_against_model(path) : check_values(*source);
}

}  // namespace cudacards
