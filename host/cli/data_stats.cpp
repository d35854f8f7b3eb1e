// cudacards data stats DIR: how many pictures of which class and size.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "host/cli/data_commands.h"
#include "host/cli/output_file.h"
#include "host/data/check.h"
#include "host/data/stats.h"
#include "host/report/stats_page.h"
#include "host/report/table.h"
#include "host/runtime/threads.h"
#include "host/train/run_folder.h"

namespace cudacards::cli {
namespace {

struct StatsCommand {
  DataFolder folder;
  std::string svg, html;
};

void print_stats(const DatasetStats& stats) {
  std::vector<Column> columns = {{"Class"}};
  for (const SplitStats& split : stats.splits) columns.push_back({split.name, Align::kRight});
  Table table(columns);
  for (std::size_t i = 0; i < stats.classes.size(); ++i) {
    std::vector<std::string> row = {stats.classes[i]};
    for (const SplitStats& split : stats.splits) row.push_back(fmt::format("{}", split.counts[i]));
    table.add(std::move(row));
  }
  fmt::print("{}", table.to_string());
  for (const SplitStats& split : stats.splits) {
    fmt::print("{}: {} pictures, {} to {} a class, {:.1f} on average\n", split.name, split.total, split.smallest,
               split.largest, split.mean);
  }
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(stats.sizes.size(), kShown); ++i) {
    const auto& [size, count] = stats.sizes[i];
    fmt::print("{} x {} pixels: {} pictures\n", size.width, size.height, count);
  }
  if (stats.sizes.size() > kShown) fmt::print("and {} other sizes\n", stats.sizes.size() - kShown);
  if (stats.unreadable > 0) fmt::print("unreadable: {} (cudacards data check names them)\n", stats.unreadable);
}

int run(const StatsCommand& command) {
  check_output(command.svg);
  check_output(command.html);
  set_threads(command.folder.threads);
  const std::string& root = command.folder.root;
  const DatasetStats stats = dataset_stats(scan_dataset({.root = root}));
  print_stats(stats);
  if (!command.svg.empty()) write_text_file(command.svg, bar_chart_svg(class_counts_chart(stats, root)));
  if (!command.html.empty()) write_text_file(command.html, stats_html(stats, check_dataset({.root = root}), root));
  return 0;
}

}  // namespace

void add_data_stats(CLI::App& data, Action& action) {
  auto stats = std::make_shared<StatsCommand>();
  CLI::App& command = *data.add_subcommand("stats", "Count pictures a class");
  add_folder(command, stats->folder);
  command.add_option("--svg", stats->svg, "Draw a bar chart into this file too")
      ->type_name("FILE")
      ->default_str("none");
  command
      .add_option("--html", stats->html,
                  "Make a page of it too, with sizes, imbalance, duplicates and what is wrong with the files")
      ->type_name("FILE")
      ->default_str("none");
  command.callback([stats, &action] { action = [stats] { return run(*stats); }; });
}

}  // namespace cudacards::cli
