#include "host/train/weights_file.h"

#include <fmt/format.h>

#include <charconv>

#include "host/runtime/error.h"
#include "host/train/checkpoint.h"
#include "weights/json_string.h"

namespace cudacards {
namespace {

constexpr const char* kFormat = "cudacards-weights-1";

template <class Number>
Number number_of(const SafetensorsFile& file, const std::string& key) {
  const auto entry = file.metadata().find(key);
  const std::string text = entry == file.metadata().end() ? "" : entry->second;
  Number value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size())
    throw Error(fmt::format("{}: the metadata {} = {} is not a number", file.path(), key, in_quotes(text)));
  return value;
}

}  // namespace

ModelSpec WeightsInfo::spec() const {
  return {.height = image_size,
          .width = image_size,
          .classes = classes.empty() ? default_classes(head) : static_cast<int>(classes.size()),
          .width_multiplier = width,
          .head = head};
}

WeightsInfo read_weights_info(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format == file.metadata().end() || !format->second.starts_with("cudacards-")) {
    throw Error(
        fmt::format("{} is not a file of cudacards' own: convert it with cudacards weights import {} --out "
                    "F.safetensors",
                    file.path(), file.path()));
  }
  if (format->second != kFormat) {
    const Checkpoint checkpoint = read_checkpoint(file);
    return {checkpoint.config.arch, checkpoint.config.width, checkpoint.config.head, checkpoint.config.image_size,
            checkpoint.classes};
  }
  const auto arch = file.metadata().find("arch");
  if (arch == file.metadata().end()) throw Error(fmt::format("{}: the metadata have no arch", file.path()));
  WeightsInfo info{.arch = arch->second,
                   .width = number_of<float>(file, "width"),
                   .head = Head::kLinear,
                   .image_size = number_of<int>(file, "image_size"),
                   .classes = {}};
  return info;
}

std::map<std::string, std::string> weights_metadata(const WeightsInfo& info) {
  return {{"format", kFormat},
          {"arch", info.arch},
          {"width", fmt::format("{}", info.width)},
          {"image_size", fmt::format("{}", info.image_size)}};
}

}  // namespace cudacards
