#include "host/ops/vendor/gpu.h"

#include <fmt/format.h>

#include "host/ops/vendor/making.h"
#include "host/runtime/device_choice.h"

namespace cudacards::vendor {

void require_gpu(const Problem& problem, const std::string& library, const std::string& missing, const char* choices) {
  if (problem.target.kind != DeviceKind::kCuda) throw Refused(library + ": runs on GPUs only");
  if (!missing.empty()) throw Refused(library + ": " + missing);
  static const GpuList gpus = list_gpus();
  if (gpus.devices.empty()) throw Refused(fmt::format("{}: no GPU to ask for {}: {}", library, choices, gpus.reason));
}

}  // namespace cudacards::vendor
