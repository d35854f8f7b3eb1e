// cudacards data: look at a folder of pictures, or draw one. check and make.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "host/cli/data_commands.h"
#include "host/cli/options.h"
#include "host/cli/stop.h"
#include "host/data/check.h"
#include "host/data/deck/deck.h"
#include "host/data/deck/scene_folder.h"
#include "host/report/progress.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"

namespace cudacards::cli {
namespace {

// ---- check

void print_files(const char* title, const std::vector<BadFile>& files) {
  if (files.empty()) return;
  fmt::print("{}: {}\n", title, files.size());
  for (const BadFile& file : files) fmt::print("  {}: {}\n", file.path, file.reason);
}

void print_duplicates(const std::vector<Duplicates>& groups) {
  if (groups.empty()) return;
  fmt::print("The same picture more than once: {}\n", groups.size());
  for (const Duplicates& group : groups)
    fmt::print("  {}\n    {}\n", meaning_of(group), fmt::join(group.paths(), "\n    "));
}

void print_mismatches(const std::vector<ClassMismatch>& mismatches) {
  if (mismatches.empty()) return;
  fmt::print("Classes that differ between splits: {}\n", mismatches.size());
  for (const ClassMismatch& m : mismatches) {
    const char* verb = m.kind == ClassMismatch::Kind::kUnknown ? "has the unknown class" : "lacks the class";
    fmt::print("  {} {} \"{}\"\n", m.split, verb, m.class_name);
  }
}

int run_check(const DataFolder& folder) {
  set_threads(folder.threads);
  const DatasetCheck check = check_dataset({.root = folder.root});
  fmt::print("{} pictures, {} classes\n", check.pictures, check.classes.size());
  print_files("Bad files", check.bad);
  print_files("Skipped, not pictures", check.skipped);
  if (!check.empty_classes.empty()) fmt::print("Classes without a picture: {}\n", fmt::join(check.empty_classes, ", "));
  print_mismatches(check.mismatches);
  print_duplicates(check.duplicates);
  fmt::print("{}\n", check.passes() ? "The data set can be used." : "The data set needs work.");
  return check.passes() ? 0 : 1;
}

// ---- make

struct MakeCommand {
  std::string folder;
  DeckOptions deck;
  int scenes = 0;  // instead of a deck
  int threads = 0;
};

int run_make_scenes(const MakeCommand& command) {
  Progress progress(/*quiet=*/false);
  const std::atomic<int>& stop_signal = stop_on_signals();
  make_scenes(command.folder, {.scenes = command.scenes, .seed = command.deck.seed},
              counting("drawing scenes", progress, &stop_signal));
  log_note(fmt::format("drew {} scenes; labels.csv says what is on them", command.scenes));
  fmt::print("{}\n", command.folder);
  return 0;
}

int run_make(const MakeCommand& command) {
  set_threads(command.threads);
  if (command.scenes > 0) return run_make_scenes(command);
  Progress progress(/*quiet=*/false);
  const std::atomic<int>& stop_signal = stop_on_signals();
  make_deck(command.folder, command.deck, counting("drawing cards", progress, &stop_signal));
  log_note(fmt::format("drew 53 cards: {} pictures of each in train, {} in valid, {} in test",
                       deck_count(command.deck, DeckSplit::kTrain), deck_count(command.deck, DeckSplit::kValid),
                       deck_count(command.deck, DeckSplit::kTest)));
  fmt::print("{}\n", command.folder);
  return 0;
}

void add_check(CLI::App& data, Action& action) {
  auto folder = std::make_shared<DataFolder>();
  CLI::App& command = *data.add_subcommand("check", "Name every bad file, duplicate and class mismatch");
  add_folder(command, *folder);
  command.footer("The exit code is 1 where a person has to act: bad files, empty or unknown classes.");
  command.callback([folder, &action] { action = [folder] { return run_check(*folder); }; });
}

void add_make(CLI::App& data, Action& action) {
  auto make = std::make_shared<MakeCommand>();
  CLI::App& command = *data.add_subcommand("make", "Draw a deck: pictures of all 53 cards, for training without data");
  command.add_option("DIR", make->folder, "The folder to make")->required();
  CLI::Option* per_class = command
                               .add_option("--per-class", make->deck.per_class,
                                           "Pictures a class in train; a fifth of it in valid and in test")
                               ->type_name("N")
                               ->check(CLI::Range(1, 100'000))
                               ->capture_default_str();
  command.add_option("--seed", make->deck.seed, "Another seed, other pictures")->type_name("S")->capture_default_str();
  CLI::Option* size = command.add_option("--size", make->deck.size, "Pictures of N x N")
                          ->type_name("N")
                          ->check(CLI::Range(32, 1024))
                          ->capture_default_str();
  command
      .add_option("--scenes", make->scenes,
                  "Instead of a deck, N photos of 1 to 9 cards on a table, and labels.csv with what is on them")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->default_str("a deck")
      ->excludes(per_class)
      ->excludes(size);
  add_threads(command, make->threads);
  command.callback([make, &action] { action = [make] { return run_make(*make); }; });
}

}  // namespace

void add_folder(CLI::App& command, DataFolder& folder) {
  command.add_option("DIR", folder.root, "A folder with train/, valid/ and test/, or of class folders")->required();
  add_threads(command, folder.threads);
}

void add_data(CLI::App& app, Action& action) {
  CLI::App& data = *app.add_subcommand("data", "Look at a folder of pictures, or draw one");
  data.require_subcommand(1);
  add_check(data, action);
  add_data_audit(data, action);
  add_data_duplicates(data, action);
  add_data_show(data, action);
  add_data_stats(data, action);
  add_make(data, action);
}

}  // namespace cudacards::cli
