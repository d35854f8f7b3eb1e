// cudacards export CKPT --onnx F --safetensors F: a trained network for other programs.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/stop.h"
#include "host/runtime/error.h"
#include "host/train/export.h"

namespace cudacards::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{8} << 20;  // written between two looks at the flag

const std::atomic<int>* stop_signal = nullptr;  // the calls below are plain functions

bool is_stopped() {
  if (stop_signal->load() == 0) return false;
  errno = ECANCELED;
  return true;
}

/// The system's own, until a signal asks to stop: then what would bring the file forward fails, and it is taken back.
FileCalls calls_until_stopped() {
  FileCalls calls = system_file_calls();
  calls.write = [](int fd, const void* bytes, std::size_t count) -> ssize_t {
    return is_stopped() ? -1 : system_file_calls().write(fd, bytes, std::min(count, kPiece));
  };
  calls.pread = [](int fd, void* bytes, std::size_t count, off_t offset) -> ssize_t {
    return is_stopped() ? -1 : system_file_calls().pread(fd, bytes, count, offset);
  };
  calls.rename = [](const char* from, const char* to) {
    return is_stopped() ? -1 : system_file_calls().rename(from, to);
  };
  return calls;
}

/// Also of files that are not there yet: "f" and "./f".
bool same_place(const std::string& a, const std::string& b) {
  return fs::weakly_canonical(fs::absolute(a)) == fs::weakly_canonical(fs::absolute(b));
}

int run(ExportOptions options) {
  if (options.onnx.empty() && options.safetensors.empty())
    throw UsageError("export writes nothing unless it is told what: --onnx F, --safetensors F or both");
  if (!options.onnx.empty() && !options.safetensors.empty() && same_place(options.onnx, options.safetensors))
    throw UsageError(fmt::format("--onnx and --safetensors name the same file, {}", options.onnx));
  options.checkpoint = checkpoint_in(options.checkpoint);
  options.version = CUDACARDS_VERSION;
  stop_signal = &stop_on_signals();
  try {
    export_model(options, calls_until_stopped());
  } catch (const Error&) {
    if (*stop_signal == 0) throw;
    throw Error("stopped before everything was written", 128 + *stop_signal);
  }
  for (const std::string& file : {options.onnx, options.safetensors}) {
    if (!file.empty()) fmt::print("{}\n", file);
  }
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App& command = *app.add_subcommand("export", "Write a trained network for other programs: ONNX, PyTorch");
  command.add_option("CKPT", options->checkpoint, "A checkpoint (best.safetensors), or a run's folder")->required();
  command
      .add_option("--onnx", options->onnx,
                  "An ONNX model (opset 17): uint8 RGB pictures (batch, height, width, 3) in, logits and "
                  "probabilities out; rescaling is inside, class names are in its metadata")
      ->type_name("F.onnx")
      ->default_str("not written");
  command
      .add_option("--safetensors", options->safetensors,
                  "The weights as a PyTorch state dict; mobilenetv2 with torchvision's names")
      ->type_name("F.safetensors")
      ->default_str("not written");
  command.footer("docs/export.md tells how to use the files. A file that exists is replaced whole or not at all.");
  command.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace cudacards::cli
