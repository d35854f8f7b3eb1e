// cudacards data show DIR: some pictures of each class as one picture, as a network sees them.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "host/cli/data_commands.h"
#include "host/cli/options.h"
#include "host/cli/output_file.h"
#include "host/data/dataset.h"
#include "host/data/files.h"
#include "host/data/picture_encode.h"
#include "host/report/class_sheet.h"
#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"
#include "host/train/presets.h"

namespace cudacards::cli {
namespace {

struct ShowCommand {
  DataFolder folder;
  std::string out = "contact-sheet.png", split = "train", preset = "best", arch = "cnn", config_file;
  std::vector<std::string> classes;
  ClassSheetOptions sheet;
  std::optional<int> image_size;
  bool augment = false;
};

/// A name of a class, or several with commas between.
void add_labels(const std::string& names, const std::vector<std::string>& classes, std::vector<int>& labels) {
  const auto add = [&](const std::string& name) {
    const auto at = std::ranges::find(classes, name);
    if (at == classes.end()) {
      throw UsageError(
          fmt::format("--classes: the data have no class \"{}\"{}", printable(name), did_you_mean(name, classes)));
    }
    labels.push_back(static_cast<int>(at - classes.begin()));
  };
  if (std::ranges::find(classes, names) != classes.end()) return add(names);  // its own name may have commas
  std::size_t from = 0;
  while (from <= names.size()) {
    const std::size_t end = std::min(names.find(',', from), names.size());
    add(names.substr(from, end - from));
    from = end + 1;
  }
}

std::vector<int> labels_of(const ShowCommand& command, const std::vector<std::string>& classes) {
  std::vector<int> labels;
  for (const std::string& names : command.classes) add_labels(names, classes, labels);
  if (!labels.empty()) return labels;
  labels.resize(classes.size());
  std::iota(labels.begin(), labels.end(), 0);
  return labels;
}

/// Whose pictures are shown: the configuration's, else the preset's.
RunConfig config_of(const ShowCommand& command) {
  if (!command.config_file.empty())
    return run_config_from_toml(read_config_file(command.config_file), command.config_file);
  RunConfig config;
  config.arch = command.arch;
  if (const char* arch = preset_named(command.preset).arch) config.arch = arch;
  apply_preset(config, command.preset);
  return config;
}

int run(const ShowCommand& command) {
  check_picture_output(command.out);
  const RunConfig config = config_of(command);
  set_threads(command.folder.threads);
  ClassSheetOptions options = command.sheet;
  options.image_size = command.image_size.value_or(config.image_size);
  if (command.augment) options.augment = config.augment;
  if (command.augment && !config.augment.enabled()) {
    throw UsageError(fmt::format("--augment: {} does not augment", command.config_file.empty()
                                                                       ? "the preset " + command.preset
                                                                       : printable(command.config_file)));
  }
  const Dataset dataset = scan_dataset({.root = command.folder.root, .holdout = 0});
  const std::vector<Sample>& samples = samples_of(dataset, command.split);
  if (samples.empty()) {
    throw Error(fmt::format("{}: has no pictures in \"{}\"; choose another with --split",
                            printable(command.folder.root), command.split));
  }
  options.labels = labels_of(command, dataset.classes);
  const ImageSize size = class_sheet_size(samples, options);
  check_encodable(picture_format_of(command.out), size.height, size.width);

  const std::string title = fmt::format("{}: {} pictures, {} x {}{}", command.split, samples.size(), options.image_size,
                                        options.image_size, command.augment ? ", augmented" : "");
  const ClassSheet sheet = class_sheet(title, samples, dataset.classes, options);
  for (const BadFile& bad : sheet.bad) log_warning(fmt::format("skipped {}: {}", bad.path, bad.reason));
  write_picture(command.out, sheet.image);
  fmt::print("{}\n", command.out);
  return 0;
}

}  // namespace

void add_data_show(CLI::App& data, Action& action) {
  auto show = std::make_shared<ShowCommand>();
  CLI::App& command = *data.add_subcommand("show", "Draw some pictures of each class as one picture");
  add_folder(command, show->folder);
  command.add_option("--out", show->out, "The picture to write: .png or .jpg")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--split", show->split, "train, valid or test")
      ->type_name("NAME")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->capture_default_str();
  command.add_option("--classes", show->classes, "Only these, by name; with commas or repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->default_str("all");
  command.add_option("--per-class", show->sheet.per_class, "Pictures a class")
      ->type_name("K")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--seed", show->sheet.seed, "Another seed, other pictures and other views of them")
      ->type_name("S")
      ->capture_default_str();
  command.add_option("--thumbnail", show->sheet.thumbnail, "Each is drawn N x N")
      ->type_name("N")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
  command.add_option("--image-size", show->image_size, "As a network of N x N pictures sees them")
      ->type_name("N")
      ->check(CLI::Range(8, 4096))
      ->default_str("that of --preset or --config");
  command.add_flag("--augment", show->augment, "As they go into training, with a random view of each");
  CLI::Option* preset =
      command.add_option("--preset", show->preset, "Whose size and augmentation: " + descriptions_of_presets())
          ->type_name("NAME")
          ->capture_default_str();
  CLI::Option* arch = command.add_option("--arch", show->arch, "The preset's model")
                          ->type_name("NAME")
                          ->default_str("cnn, or the preset's own");
  command.add_option("--config", show->config_file, "Size and augmentation of this TOML file, as a run's run.toml")
      ->type_name("FILE")
      ->default_str("none")
      ->excludes(preset)
      ->excludes(arch);
  command.footer("Prints the picture's path. Files that are no pictures are named on standard error and left out.");
  command.callback([show, &action] { action = [show] { return run(*show); }; });
}

}  // namespace cudacards::cli
