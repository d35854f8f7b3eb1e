// cudacards doctor: what was built in, what this machine has, and what is missing.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <opencv2/core/version.hpp>

#include "host/cli/commands.h"
#include "host/export/onnx.h"
#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/onednn_version.h"
#include "host/runtime/cpu.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/emulated_device.h"
#include "host/runtime/threads.h"
#include "weights/fetch.h"

namespace cudacards::cli {
namespace {

void line(const char* name, const std::string& value) { fmt::print("{:<14}{}\n", name, value); }

const char* yes_no(bool value) { return value ? "yes" : "no"; }

const char* picture_formats() {
#ifdef CUDACARDS_HAS_IMGCODECS
  return "JPEG, PNG, BMP, WebP";
#else
  return "JPEG (for others, install libopencv-imgcodecs-dev and build again)";
#endif
}

std::string gpu_text(const GpuDevice& gpu) {
  return fmt::format("cuda:{}: {}, compute capability {}.{}, {:.1f} GiB", gpu.index, gpu.name, gpu.arch.major,
                     gpu.arch.minor, static_cast<double>(gpu.memory_bytes) / (1 << 30));
}

int run() {
  line("cudacards", CUDACARDS_VERSION);
  line("compiler", fmt::format("{} ({})", CUDACARDS_COMPILER, CUDACARDS_BUILD_TYPE));
  line("oneDNN", fmt::format("{}, uses {}", onednn_version(), onednn_instruction_set()));
  line("OpenCV", CV_VERSION);
  line("pictures", picture_formats());
  line("weights fetch", built_with_fetch() ? "yes" : "no (install libcurl4-openssl-dev and build again)");
  line("export --onnx",
       missing_onnx().empty() ? "yes" : "no (install libonnx-dev and libprotobuf-dev and build again)");
  line("CUDA kernels", yes_no(cuda_build().has_kernels));
  line("emulator", missing_emulator().empty() ? "yes: --device emulated" : "no: " + missing_emulator());
  line("cuDNN", cudnn_description());
  line("cuBLASLt", cublaslt_description());

  const CpuInfo cpu = cpu_info();
  line("processor", cpu.model.empty() ? "unknown" : cpu.model);
  line("features", fmt::format("{}", fmt::join(cpu.features, " ")));
  line("bf16", cpu_has_bf16() ? "yes: --precision bf16 is fast" : "no instructions for it: --precision fp32 is faster");
  line("threads", fmt::format("{}", threads()));

  const GpuList gpus = list_gpus();
  line("CUDA driver", gpus.driver.empty() ? "none" : "for CUDA " + gpus.driver);
  for (const GpuDevice& gpu : gpus.devices) line("GPU", gpu_text(gpu));
  if (gpus.devices.empty()) line("GPU", "none: " + gpus.reason);
  const DeviceChoice choice = choose_device("auto");
  line("--device auto",
       choice.reason.empty() ? name_of(choice.kind) : fmt::format("{}: {}", name_of(choice.kind), choice.reason));
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("doctor", "Show what was built in and what this machine offers");
  command.callback([&action] { action = run; });
}

}  // namespace cudacards::cli
