// cudacards runs [DIR]: the runs in a folder, with their figures.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "host/cli/commands.h"
#include "host/data/files.h"
#include "host/report/progress.h"
#include "host/report/table.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/train/checkpoint.h"
#include "host/train/metrics.h"

namespace cudacards::cli {
namespace {

namespace fs = std::filesystem;

struct RunsCommand {
  std::string folder = "runs";
  bool json = false;
};

struct Run {
  std::string path;
  Checkpoint checkpoint;
  double seconds = 0;

  bool has_epoch() const { return checkpoint.state.best_epoch > 0; }
};

/// Those that can be read, by name; the others are told of.
std::vector<Run> runs_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (fs::exists(entry.path() / "last.safetensors", error)) paths.push_back(entry.path().string());
  }
  if (error) throw Error(fmt::format("cannot read the folder {}: {}", printable(folder), error.message()));
  std::ranges::sort(paths);
  std::vector<Run> runs;
  for (const std::string& path : paths) {
    try {
      Run run{.path = path, .checkpoint = read_checkpoint(path + "/last.safetensors")};
      run.seconds = total_seconds(read_metrics(path + "/metrics.jsonl"));
      runs.push_back(std::move(run));
    } catch (const Error& unreadable) {
      log_warning(unreadable.what());
    }
  }
  return runs;
}

void print_json(const Run& run) {
  const RunConfig& config = run.checkpoint.config;
  const TrainState& state = run.checkpoint.state;
  nlohmann::ordered_json line = {
      {"run", printable(run.path)}, {"arch", config.arch},  {"preset", config.preset}, {"data", printable(config.data)},
      {"seed", config.seed},        {"epoch", state.epoch}, {"epochs", config.epochs}, {"best_epoch", nullptr},
      {"val_accuracy", nullptr},    {"val_loss", nullptr},  {"seconds", run.seconds}};
  if (run.has_epoch()) {
    line["best_epoch"] = state.best_epoch;
    line["val_accuracy"] = state.best_val_accuracy;
    line["val_loss"] = state.best_val_loss;
  }
  fmt::print("{}\n", line.dump());
}

void print_table(const std::vector<Run>& runs) {
  Table table({{"Run"},
               {"Model"},
               {"Preset"},
               {"Seed", Align::kRight},
               {"Epochs", Align::kRight},
               {"Val accuracy", Align::kRight},
               {"Val loss", Align::kRight},
               {"at epoch", Align::kRight},
               {"Time", Align::kRight}});
  for (const Run& run : runs) {
    const RunConfig& config = run.checkpoint.config;
    const TrainState& state = run.checkpoint.state;
    const auto best = [&](const std::string& figure) { return run.has_epoch() ? figure : std::string("-"); };
    table.add({printable(run.path), config.arch, config.preset, fmt::format("{}", config.seed),
               fmt::format("{} of {}", state.epoch, config.epochs),
               best(fmt::format("{:.4f}", state.best_val_accuracy)), best(fmt::format("{:.4f}", state.best_val_loss)),
               best(fmt::format("{}", state.best_epoch)), duration_text(run.seconds)});
  }
  fmt::print("{}", table.to_string());
}

int run(const RunsCommand& command) {
  const std::vector<Run> runs = runs_in(command.folder);
  if (command.json) {
    for (const Run& run : runs) print_json(run);
  } else if (runs.empty()) {
    log_note(fmt::format("{}: no runs in it; `cudacards train` makes one", printable(command.folder)));
  } else {
    print_table(runs);
  }
  return 0;
}

}  // namespace

void add_runs(CLI::App& app, Action& action) {
  auto runs = std::make_shared<RunsCommand>();
  CLI::App& command = *app.add_subcommand("runs", "List runs with their figures");
  command.add_option("DIR", runs->folder, "The folder that the runs are in")->capture_default_str();
  command.add_flag("--json", runs->json, "A JSON object a line");
  command.footer("Figures are those of the best epoch by validation accuracy. `cudacards report` compares runs.");
  command.callback([runs, &action] { action = [runs] { return run(*runs); }; });
}

}  // namespace cudacards::cli
