#include "host/cli/options.h"

#include <filesystem>

#include "host/runtime/device_choice.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"

namespace cudacards::cli {
namespace {

/// A run's folder stands for its best checkpoint.
std::string checkpoint_in(const std::string& path) {
  return std::filesystem::is_directory(path) ? (std::filesystem::path(path) / "best.safetensors").string() : path;
}

}  // namespace

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return command.add_option("--threads", threads, "CPU threads; 0: one a core that may be used")
      ->type_name("N")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_inference(CLI::App& command, InferenceOptions& options) {
  command.add_option("CKPT", options.checkpoint, "A checkpoint (best.safetensors), or a run's folder")->required();
  command.add_option("--batch", options.model.batch, "Pictures at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--precision",
          [&options](const std::string& word) { options.model.precision = from_word<DType>(word, "--precision"); },
          fmt::format("Type of the activations: {}", fmt::join(words_of<DType>(), ", ")))
      ->type_name("WORD")
      ->default_str("as it was trained");
  command.add_option("--device", options.device, "auto, cpu, cuda, cuda:N or emulated (a GPU in software, for tiny sizes)")
      ->type_name("DEVICE")
      ->capture_default_str();
  add_word(command, "--impl", options.model.impl, "Family of implementations");
  add_threads(command, options.threads);
}

Model load_model(const InferenceOptions& options) {
  ModelOptions model = options.model;
  model.device = choose_device(options.device);  // one asked for by name and missing is an error before anything is read
  set_threads(options.threads);
  return Model::load(checkpoint_in(options.checkpoint), model);
}

}  // namespace cudacards::cli
