#pragma once
// What a plan computes in.

#include <cstdint>

#include "host/runtime/device_kind.h"
#include "kernels/base/dtype.h"

namespace cudacards {

/// Of activations, their gradients and the factors of products. Parameters, sums, loss and statistics are fp32 in all.
/// kTf32 is for devices: fp32 in memory, rounded to tf32 where tensor cores multiply (kernels/base/factors.h).
enum class Precision : std::uint8_t { kF32, kTf32, kBf16 };

/// In which activations and their gradients are stored.
constexpr DType storage_of(Precision precision) { return precision == Precision::kBf16 ? DType::kBf16 : DType::kF32; }

/// The nearest that a device has: what was trained in tf32 is used in fp32 on the CPU.
constexpr Precision on_device(Precision precision, DeviceKind device) {
  return precision == Precision::kTf32 && device == DeviceKind::kCpu ? Precision::kF32 : precision;
}

constexpr const char* name_of(Precision precision) {
  return precision == Precision::kTf32 ? "tf32" : name_of(storage_of(precision));
}

}  // namespace cudacards
