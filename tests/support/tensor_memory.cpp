#include "tests/support/tensor_memory.h"

#include <utility>

namespace cudacards::testing {

TensorMemory::TensorMemory(Device& device, std::size_t bytes, std::string name)
    : device_(&device), name_(std::move(name)), bytes_(bytes) {
  if (device.is_cpu()) {
    host_ = std::make_unique<GuardedBuffer>(bytes, name_);
  } else {
    poison();
  }
}

TensorMemory::TensorMemory(Device& device, const std::vector<float>& values, DType type, std::string name)
    : TensorMemory(device, values.size() * size_of(type), std::move(name)) {
  store(values, type);
}

void TensorMemory::store(const std::vector<float>& values, DType type) {
  std::vector<Bf16> rounded;
  if (type == DType::kBf16) {
    for (const float value : values) rounded.emplace_back(value);
  }
  const void* bytes = type == DType::kBf16 ? static_cast<const void*>(rounded.data()) : values.data();
  device_->upload(data(), bytes, bytes_);
}

std::vector<float> TensorMemory::load(DType type) {
  std::vector<float> values(bytes_ / size_of(type));
  if (type == DType::kF32) {
    device_->download(values.data(), data(), bytes_);
    return values;
  }
  std::vector<Bf16> stored(values.size());
  device_->download(stored.data(), data(), bytes_);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(stored[i]);
  return values;
}

void TensorMemory::poison() {
  if (host_) {
    host_->poison();
  } else {
    device_memory_ = DeviceBuffer(*device_, bytes_, name_.c_str());
    // A GPU's memory holds what it held before; the emulator knows by itself what nobody wrote.
    if (device_->kind() == DeviceKind::kCuda) device_->fill(device_memory_.data(), 0xff, bytes_);
  }
}

}  // namespace cudacards::testing
