// cudacards data duplicates DIR: pictures that are all but the same.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "host/cli/data_commands.h"
#include "host/cli/output_file.h"
#include "host/cli/share_check.h"
#include "host/cli/stop.h"
#include "host/data/files.h"
#include "host/data/near_duplicates.h"
#include "host/data/picture_encode.h"
#include "host/report/near_duplicates_report.h"
#include "host/report/progress.h"
#include "host/report/table.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"
#include "host/train/run_folder.h"

namespace cudacards::cli {
namespace {

struct DuplicatesCommand {
  DataFolder folder;
  double limit = kNearLimit;
  std::size_t top = 200;
  std::string sheet, html;
  bool json = false;
};

nlohmann::ordered_json json_of(const ScannedFile& file) {
  return {{"path", printable(file.path)}, {"split", file.split}, {"class", file.class_name}};
}

std::string json_line(const NearDuplicate& pair) {
  const nlohmann::ordered_json line = {{"across_splits", pair.across_splits()},
                                       {"across_classes", pair.across_labels()},
                                       {"difference", pair.difference},
                                       {"first", json_of(pair.first)},
                                       {"second", json_of(pair.second)}};
  return line.dump();
}

void print_pairs(std::span<const NearDuplicate> pairs) {
  const char* said = nullptr;
  for (const NearDuplicate& pair : pairs) {
    if (meaning_of(pair) != said) fmt::print("{}:\n", said = meaning_of(pair));
    fmt::print("  {:.2f}", pair.difference);
    for (const ScannedFile* file : {&pair.first, &pair.second})
      fmt::print("{}{}, {}: {}\n", file == &pair.first ? "  " : "        ", file->split, printable(file->class_name),
                 printable(file->path));
  }
}

void print_sum(const NearDuplicates& found) {
  const auto splits = std::ranges::count_if(found.pairs, &NearDuplicate::across_splits);
  const auto classes = std::ranges::count_if(found.pairs, &NearDuplicate::across_labels);
  fmt::print("{} among {}: {} in two splits, {} under two classes\n",
             counted(std::ssize(found.pairs), "near duplicate"), counted(found.pictures, "picture"), splits, classes);
}

int run(const DuplicatesCommand& command) {
  check_picture_output(command.sheet);
  check_output(command.html);
  set_threads(command.folder.threads);
  const FolderScan scan = scan_folders({.root = command.folder.root});
  Progress progress(/*quiet=*/false);
  const std::atomic<int>& stop_signal = stop_on_signals();
  const NearDuplicates found =
      find_near_duplicates(scan, command.limit, counting("comparing pictures", progress, &stop_signal));
  for (const BadFile& bad : found.bad) log_warning(fmt::format("skipped {}: {}", bad.path, bad.reason));
  const auto pairs = std::span(found.pairs).first(std::min(command.top, found.pairs.size()));
  if (command.json) {
    for (const NearDuplicate& pair : pairs) fmt::print("{}\n", json_line(pair));
  } else {
    print_pairs(pairs);
    if (pairs.size() < found.pairs.size()) fmt::print("and {} more (--top)\n", found.pairs.size() - pairs.size());
    print_sum(found);
  }
  if (!command.html.empty()) {
    write_text_file(command.html, near_duplicates_html(found, command.folder.root, command.top));
  }
  if (!command.sheet.empty()) {
    const ContactSheet sheet = near_duplicates_sheet(found, command.folder.root, command.top);
    const ImageSize size = contact_sheet_size(sheet, sheet.rows.size(), 2);
    check_encodable(picture_format_of(command.sheet), size.height, size.width);
    write_picture(command.sheet, draw_contact_sheet(sheet));
  }
  return 0;
}

}  // namespace

void add_data_duplicates(CLI::App& data, Action& action) {
  auto duplicates = std::make_shared<DuplicatesCommand>();
  CLI::App& command =
      *data.add_subcommand("duplicates", "Find pictures that are all but the same, between splits and within");
  add_folder(command, duplicates->folder);
  command
      .add_option("--limit", duplicates->limit,
                  "How much two pictures may differ where they differ most: 0 not at all, 1 as if they were any two")
      ->type_name("D")
      ->check(from_zero_to_one())
      ->capture_default_str();
  command.add_option("--top", duplicates->top, "So many pairs at most, between splits first, then between classes")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--sheet", duplicates->sheet, "Draw the pairs into this picture: .png or .jpg")
      ->type_name("FILE")
      ->default_str("none");
  command.add_option("--html", duplicates->html, "Show the pairs on this page")->type_name("FILE")->default_str("none");
  command.add_flag("--json", duplicates->json, "A JSON object a pair");
  command.footer(
      "Finds copies in another size, quality, brightness, or slightly moved; not what was turned or mirrored. Copies "
      "byte by byte are named by `data check` too.");
  command.callback([duplicates, &action] { action = [duplicates] { return run(*duplicates); }; });
}

}  // namespace cudacards::cli
