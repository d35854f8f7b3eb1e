#pragma once
// Options that several commands share.

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

#include "host/train/model.h"
#include "host/train/words.h"

namespace cudacards::cli {

/// An option whose value is a word of an enum; the words are listed in its help. Refuses other words with a guess.
template <class Enum>
CLI::Option* add_word_option(CLI::App& command, const std::string& name, const std::function<void(Enum)>& use,
                             const std::string& description) {
  return command
      .add_option_function<std::string>(
          name, [use, name](const std::string& word) { use(from_word<Enum>(word, name)); },
          fmt::format("{}: {}", description, fmt::join(words_of<Enum>(), ", ")))
      ->type_name("WORD");
}

/// What inference needs besides a checkpoint.
struct InferenceOptions {
  std::string checkpoint;
  std::string device = "auto";
  int threads = 0;
  ModelOptions model;
};

/// The checkpoint (CKPT, or an option's name), --batch, --precision, --device, --impl, --tune, --threads.
void add_inference(CLI::App& command, InferenceOptions& options, const std::string& checkpoint = "CKPT");
/// Sets the threads, chooses the device, reads the checkpoint.
Model load_model(const InferenceOptions& options);

/// "0.35, 0.5, ...": for the help of --width.
std::string widths_of_models();
/// The text of a --config file. Throws UsageError.
std::string read_config_file(const std::string& path);
/// A run's folder stands for its best checkpoint.
std::string checkpoint_in(const std::string& path);

/// --impl; `use` gets each of its values.
CLI::Option* add_impl_option(CLI::App& command, const std::function<void(const std::string&)>& use);
void add_impl(CLI::App& command, ImplRules& rules);
/// --tune and --no-tune.
void add_tune_flags(CLI::App& command, const std::function<void(Tune)>& use);
void add_tune(CLI::App& command, Tune& tune);

/// --freeze; `use` gets its value.
CLI::Option* add_freeze_option(CLI::App& command, const std::function<void(Freeze)>& use);
/// For --bn, whose words follow.
inline constexpr const char* kBatchNormsHelp =
    "What mobilenetv2's batch norms do whose layers are not frozen: as those of frozen layers, or by the batch's "
    "statistics";
/// "best (augmentation, ...), ...": for the help of --preset.
std::string descriptions_of_presets();

CLI::Option* add_threads(CLI::App& command, int& threads);

}  // namespace cudacards::cli
