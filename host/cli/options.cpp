#include "host/cli/options.h"

#include <filesystem>

#include "host/data/files.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"
#include "host/train/presets.h"

namespace cudacards::cli {
std::string checkpoint_in(const std::string& path) {
  return std::filesystem::is_directory(path) ? (std::filesystem::path(path) / "best.safetensors").string() : path;
}

std::string read_config_file(const std::string& path) {
  try {
    const std::vector<std::uint8_t> bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
  } catch (const Error& error) {
    throw UsageError(fmt::format("cannot read the configuration {}: {}", path, error.what()));
  }
}

std::string widths_of_models() { return fmt::format("{}", fmt::join(mobilenet_widths(), ", ")); }

CLI::Option* add_threads(CLI::App& command, int& threads) {
  return command.add_option("--threads", threads, "CPU threads; 0: one a core that may be used")
      ->type_name("N")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

CLI::Option* add_freeze_option(CLI::App& command, const std::function<void(Freeze)>& use) {
  return command
      .add_option_function<std::string>(
          "--freeze", [use](const std::string& text) { use(Freeze::from_text(text, "--freeze")); },
          "What of mobilenetv2 keeps its values, batch norms by running statistics: none, backbone (all below the "
          "head), blocks:K (the stem and the first K of 17 blocks)")
      ->type_name("PART");
}

std::string descriptions_of_presets() {
  std::vector<std::string> texts;
  for (const Preset& preset : presets()) texts.push_back(fmt::format("{} ({})", preset.name, preset.description));
  return fmt::format("{}", fmt::join(texts, ", "));
}

CLI::Option* add_impl_option(CLI::App& command, const std::function<void(const std::string&)>& use) {
  return command
      .add_option_function<std::vector<std::string>>(
          "--impl",
          [use](const std::vector<std::string>& rules) {
            for (const std::string& rule : rules) use(rule);
          },
          "Implementations: auto, hand, vendor, reference or a name that summary --plan shows, everywhere or as "
          "NODE=RULE; with commas or repeated")
      ->type_name("RULE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->default_str("auto");
}

void add_impl(CLI::App& command, ImplRules& rules) {
  add_impl_option(command, [&rules](const std::string& rule) { rules.add(rule, "--impl"); });
}

void add_tune_flags(CLI::App& command, const std::function<void(Tune)>& use) {
  CLI::Option* on = command.add_flag_callback(
      "--tune", [use] { use(Tune::kOn); },
      "Take the fastest implementation of each node, as measured now or in the user's cache");
  CLI::Option* off = command.add_flag_callback(
      "--no-tune", [use] { use(Tune::kOff); }, "Take the first that can be taken");
  on->default_str("on a GPU, off elsewhere")->excludes(off);
}

void add_tune(CLI::App& command, Tune& tune) {
  add_tune_flags(command, [&tune](Tune value) { tune = value; });
}

void add_inference(CLI::App& command, InferenceOptions& options, const std::string& checkpoint) {
  CLI::Option* option =
      command.add_option(checkpoint, options.checkpoint, "A checkpoint (best.safetensors), or a run's folder")
          ->required();
  if (checkpoint.starts_with("-")) option->type_name("CKPT");
  command.add_option("--batch", options.model.batch, "Pictures at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  add_word_option<Precision>(
      command, "--precision", [&options](Precision precision) { options.model.precision = precision; },
      "What is computed in")
      ->default_str("as it was trained");
  command
      .add_option("--device", options.device, "auto, cpu, cuda, cuda:N or emulated (a GPU in software, for tiny sizes)")
      ->type_name("DEVICE")
      ->capture_default_str();
  add_impl(command, options.model.impl);
  add_tune(command, options.model.tune);
  add_threads(command, options.threads);
}

Model load_model(const InferenceOptions& options) {
  ModelOptions model = options.model;
  model.device =
      choose_device(options.device);  // one asked for by name and missing is an error before anything is read
  set_threads(options.threads);
  return Model::load(checkpoint_in(options.checkpoint), model);
}

}  // namespace cudacards::cli
