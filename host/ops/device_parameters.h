#pragma once
// The parameters of a model where a device computes with them: fp32 values and, in a bf16 plan, the copy that its
// products read.

#include <cstdint>
#include <span>

#include "host/runtime/device_buffer.h"
#include "kernels/base/dtype.h"

namespace cudacards {

class DeviceParameters {
 public:
  enum class Copy : bool { kNone, kBf16 };

  DeviceParameters(Device& device, std::int64_t elements, Copy copy);

  float* values() { return values_.as<float>().data(); }
  /// Null without a copy.
  Bf16* copy() { return copy_.as<Bf16>().data(); }

  void upload(std::span<const float> values);
  void download(std::span<float> values);
  /// Makes the copy again where values have changed since.
  void refresh_copy();

  /// To be called after something on the device has written values(): with the copy, as the optimizer does, or without.
  void written_with_copy() { copied_version_ = ++version_; }
  void written() { ++version_; }
  std::uint64_t version() const { return version_; }

 private:
  Device& device_;
  std::int64_t elements_;
  DeviceBuffer values_, copy_;
  std::uint64_t version_ = 1, copied_version_ = 0;
};

}  // namespace cudacards
