// What a plan does on a device besides running its nodes.

#include <algorithm>
#include <numeric>

#include "host/graph/plan_state.h"
#include "host/runtime/threads.h"

namespace cudacards {

void copy_input(Device& device, const float* src, const PlanValue& input) {
  const std::int64_t count = input.desc.shape.elements();
  if (input.desc.type == DType::kF32) return device.upload(input.data, src, input.desc.bytes());
  std::vector<Bf16> rounded(static_cast<std::size_t>(count));
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) rounded[i] = Bf16(src[i]);
  });
  device.upload(input.data, rounded.data(), input.desc.bytes());
  device.synchronise();
}

DevicePart::DevicePart(Device& device, Parameters& host, const PlanOptions& options)
    : parameters(device, host.size(),
                 options.precision == Precision::kBf16 ? DeviceParameters::Copy::kBf16 : DeviceParameters::Copy::kNone),
      own_clock(device, sizeof(StepClock), "the step's clock"),
      clock(own_clock.as<StepClock>().data()) {}

void DevicePart::refresh_parameters(const Parameters& host) {
  if (uploaded_version != host.version()) parameters.upload(host.values());
  uploaded_version = host.version();
  parameters.refresh_copy();
}

const DeviceImages& DevicePart::upload(Device& device, const ImageBatch& batch, std::size_t picture_bytes) {
  const std::size_t count = batch.images.size();
  if (pictures.size() == 0) {
    pictures = DeviceBuffer(device, count * picture_bytes, "a batch of pictures");
    indices = DeviceBuffer(device, count * sizeof(std::int32_t), "a batch's indices");
    transforms = DeviceBuffer(device, count * sizeof(ImageTransform), "a batch's transforms");
    std::vector<std::int32_t> all(count);
    std::iota(all.begin(), all.end(), 0);
    device.upload(indices.data(), all.data(), indices.size());
    images.pictures = pictures.as<std::uint8_t>().data();
    images.indices = indices.as<std::int32_t>().data();
  }
  for (std::size_t i = 0; i < count; ++i)
    device.upload(pictures.data() + i * picture_bytes, batch.images[i], picture_bytes);
  images.transforms = nullptr;
  if (!batch.transforms.empty()) {
    device.upload(transforms.data(), batch.transforms.data(), transforms.size());
    images.transforms = transforms.as<ImageTransform>().data();
  }
  images.blurs = std::ranges::any_of(batch.transforms, [](const auto& t) { return t.blur_sigma > 0; });
  return images;
}

}  // namespace cudacards
