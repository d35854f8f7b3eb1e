#include <fmt/format.h>

#include <algorithm>

#include "host/runtime/error.h"
#include "weights/atomic_file.h"
#include "weights/float_conversion.h"
#include "weights/json_string.h"
#include "weights/safetensors.h"
#include "weights/safetensors_header.h"

namespace cudacards {
namespace {

void check_metadata(const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key)) throw Error("a metadata key is not UTF-8");
    if (!is_utf8(value)) throw Error(fmt::format("the metadata value of {} is not UTF-8", in_quotes(key)));
  }
}

/// Tensors in the order in which they are written: larger elements first, so that every tensor is aligned to its type.
std::vector<const TensorView*> in_order_of_alignment(const std::vector<TensorView>& tensors) {
  std::vector<const TensorView*> ordered;
  for (const TensorView& tensor : tensors) ordered.push_back(&tensor);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const TensorView* a, const TensorView* b) { return size_of(a->type) > size_of(b->type); });
  return ordered;
}

/// The header of these tensors, one behind the other. What a reader would refuse is refused here.
SafetensorsHeader make_header(const std::vector<const TensorView*>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  check_metadata(metadata);
  SafetensorsHeader header{metadata, {}};
  std::uint64_t at = 0;
  for (const TensorView* tensor : tensors) {
    check_tensor_name(tensor->name);
    if (tensor->shape.size() > SafetensorsLimits::kRank) {
      throw Error(
          fmt::format("tensor {} has more than {} dimensions", in_quotes(tensor->name), SafetensorsLimits::kRank));
    }
    header.tensors.push_back({tensor->name, tensor->type, tensor->shape, at, at + tensor->bytes.size()});
    at += tensor->bytes.size();
  }
  if (header.tensors.size() > SafetensorsLimits::kTensors || metadata.size() > SafetensorsLimits::kMetadataEntries) {
    throw Error(fmt::format("{} tensors with {} metadata entries are more than a file may have", tensors.size(),
                            metadata.size()));
  }
  check_layout(header, at);
  return header;
}

}  // namespace

TensorView float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  return {std::move(name), SafetensorsType::kF32, std::move(shape), std::as_bytes(values)};
}

void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata, const FileCalls& calls) {
  const auto ordered = in_order_of_alignment(tensors);
  std::string json;
  try {
    json = format_header(make_header(ordered, metadata));
    if (json.size() > SafetensorsLimits::kHeaderBytes)
      throw Error(fmt::format("a header of {} bytes is too large", json.size()));
  } catch (const Error& error) {
    throw Error(fmt::format("cannot write {}: {}", path, error.what()));
  }
  const std::uint64_t length = json.size();
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(&length, 1)),
                                                   std::as_bytes(std::span(json))};
  for (const TensorView* tensor : ordered) parts.push_back(tensor->bytes);
  write_file_atomically(path, parts, calls);
}

}  // namespace cudacards
