#include "host/train/weights_file.h"

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/train/checkpoint.h"
#include "weights/metadata_number.h"

namespace cudacards {
namespace {

constexpr const char* kFormat = "cudacards-weights-1";

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
                   .width = metadata_number<float>(file.metadata(), "width", file.path()),
                   .head = Head::kLinear,
                   .image_size = metadata_number<int>(file.metadata(), "image_size", file.path()),
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
