#include "bench/support/ceilings.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/support/node_work.h"
#include "bench/support/timing.h"
#include "host/ops/ops.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards::bench {
namespace {

constexpr int kRounds = 7;

double fastest_round(RepeatedWork& work) {
  double seconds = work.round();
  for (int i = 1; i < kRounds; ++i) seconds = std::min(seconds, work.round());
  return seconds;
}

double copy_rate(Device& device) {
  const std::size_t bytes = device.is_cpu() ? std::size_t{256} << 20 : std::size_t{2} << 30;
  const DeviceBuffer from(device, bytes, "a copy's source"), to(device, bytes, "a copy's destination");
  device.fill(const_cast<std::byte*>(from.data()), 1, bytes);
  RepeatedWork work(
      device, [&](int) { device.copy(const_cast<std::byte*>(to.data()), from.data(), bytes); }, 1);
  return 2 * static_cast<double>(bytes) / fastest_round(work);
}

void measure_products(Device& device, Precision precision, Ceilings& ceilings) {
  const int side = device.is_cpu() ? 2048 : 8192;
  const auto dense = std::make_shared<const Dense>(side, Activation::kNone, false);
  const DType type = storage_of(precision);
  const Problem problem = {.src = {{{side, side}, type}},
                           .dst = {{side, side}, type},
                           .diff_src_wanted = {false},
                           .threads = threads(),
                           .tf32 = precision == Precision::kTf32,
                           .target = device.target()};
  const double flops = 2.0 * side * side * side;
  for (const Implementation& implementation : dense->implementations(device.kind())) {
    if (implementation.family == "reference" || !implementation.supports(*dense, problem)) continue;
    try {
      NodeWork node(device, {{dense, problem, implementation}}, precision, {});
      node.fill(Fill::kUniform);
      RepeatedWork work(
          device, [&](int) { node.forward(0); }, 1);
      const double rate = flops / fastest_round(work);
      if (rate <= ceilings.flops_per_second[precision]) continue;
      ceilings.flops_per_second[precision] = rate;
      ceilings.how[precision] = fmt::format("dense {0} x {0} x {0} by {1}", side, implementation.name);
    } catch (const Error&) {
      continue;  // an implementation that fails here shows in its own rows
    }
  }
}

}  // namespace

double Ceilings::least_seconds(double flops, double bytes, Precision precision) const {
  const auto rate = flops_per_second.find(precision);
  if (bytes_per_second <= 0 || rate == flops_per_second.end() || rate->second <= 0) return 0;
  return std::max(flops / rate->second, bytes / bytes_per_second);
}

Ceilings measure_ceilings(Device& device) {
  Ceilings ceilings;
  if (device.kind() == DeviceKind::kEmulated) return ceilings;
  ceilings.bytes_per_second = copy_rate(device);
  for (const Precision precision : {Precision::kF32, Precision::kTf32, Precision::kBf16}) {
    if (precision == on_device(precision, device.kind())) measure_products(device, precision, ceilings);
  }
  return ceilings;
}

}  // namespace cudacards::bench
