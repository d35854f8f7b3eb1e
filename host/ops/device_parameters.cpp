#include "host/ops/device_parameters.h"

#include "host/runtime/error.h"
#include "kernels/table.h"

namespace cudacards {

DeviceParameters::DeviceParameters(Device& device, std::int64_t elements, Copy copy)
    : device_(device),
      elements_(elements),
      values_(device, static_cast<std::size_t>(elements) * sizeof(float), "the parameters"),
      copy_(device, copy == Copy::kNone ? 0 : static_cast<std::size_t>(elements) * sizeof(Bf16),
            "the parameters' bf16 copy") {}

void DeviceParameters::upload(std::span<const float> values) {
  CUDACARDS_CHECK(values.size() == static_cast<std::size_t>(elements_));
  device_.upload(values_.data(), values.data(), values_.size());
  written();
}

void DeviceParameters::download(std::span<float> values) {
  CUDACARDS_CHECK(values.size() == static_cast<std::size_t>(elements_));
  device_.download(values.data(), values_.data(), values_.size());
}

void DeviceParameters::refresh_copy() {
  if (copied_version_ == version_ || copy_.size() == 0) return;
  const CastProblem narrow = {.elements = elements_, .from = DType::kF32, .to = DType::kBf16};
  require(device_.kernels().cast(narrow, {values(), copy()}, device_.stream()), "bf16 copy of the parameters");
  copied_version_ = version_;
}

}  // namespace cudacards
