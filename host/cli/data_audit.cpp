// cudacards data audit DIR --model CKPT: labels that a trained model doubts.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "host/cli/data_commands.h"
#include "host/cli/options.h"
#include "host/cli/output_file.h"
#include "host/cli/stop.h"
#include "host/data/files.h"
#include "host/report/progress.h"
#include "host/runtime/log.h"
#include "host/train/audit.h"
#include "host/train/checkpoint.h"
#include "host/train/run_folder.h"

namespace cudacards::cli {
namespace {

struct AuditCommand {
  std::string root, html;
  InferenceOptions inference;
  std::size_t top = 30;
  bool json = false;
};

using Json = nlohmann::ordered_json;

Json json_of(const Judged& picture, std::size_t rank) {
  return {{"rank", rank},
          {"path", printable(picture.path)},
          {"split", picture.split},
          {"label", picture.label},
          {"probability_of_label", picture.probability_of_label},
          {"rival", picture.rival},
          {"probability_of_rival", picture.probability_of_rival},
          {"margin", picture.margin()},
          {"suspect", picture.is_suspect},
          {"learned", picture.was_learned}};
}

std::string json_text(const Audit& audit, std::span<const Judged> shown) {
  Json pictures = Json::array(), contradictions = Json::array();
  for (const Judged& picture : shown) pictures.push_back(json_of(picture, pictures.size() + 1));
  for (const Duplicates& group : audit.conflicts) {
    Json files = Json::array();
    for (const ScannedFile& file : group.files)
      files.push_back({{"path", printable(file.path)}, {"split", file.split}, {"class", file.class_name}});
    contradictions.push_back(std::move(files));
  }
  const Json all = {{"pictures", audit.pictures.size()},
                    {"disagreements", audit.disagreements()},
                    {"suspects", audit.suspects()},
                    {"knows_what_was_learned", audit.knows_what_was_learned},
                    {"contradictions", std::move(contradictions)},
                    {"ranking", std::move(pictures)}};
  return all.dump();
}

void print_text(const Audit& audit, std::span<const Judged> shown, const std::string& root) {
  if (!audit.conflicts.empty()) {
    fmt::print("The same file under two labels: {}\n", audit.conflicts.size());
    for (const Duplicates& group : audit.conflicts) fmt::print("  {}\n", fmt::join(group.paths(), "\n    "));
  }
  fmt::print("The most doubtful labels (* suspect, + not learned from):\n");
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Judged& p = shown[i];
    fmt::print("{:4} {}{} {}: {} {:.1f} %, rather {} {:.1f} %\n", i + 1, p.is_suspect ? '*' : ' ',
               audit.knows_what_was_learned && !p.was_learned ? '+' : ' ', printable_below(p.path, root), p.label,
               100 * p.probability_of_label, p.rival, 100 * p.probability_of_rival);
  }
  fmt::print("{} pictures: the model disagrees with {} labels, {} are suspect\n", audit.pictures.size(),
             audit.disagreements(), audit.suspects());
}

int run(const AuditCommand& command) {
  check_output(command.html);
  Model model = load_model(command.inference);
  const RunConfig trained_with = read_checkpoint(checkpoint_in(command.inference.checkpoint)).config;
  Progress progress(/*quiet=*/false);
  const std::atomic<int>& stop_signal = stop_on_signals();
  const Audit audit =
      audit_labels(model, trained_with, command.root, counting("judging labels", progress, &stop_signal));
  for (const BadFile& bad : audit.bad) log_warning(fmt::format("skipped {}: {}", bad.path, bad.reason));
  const auto shown = std::span<const Judged>(audit.pictures).first(std::min(command.top, audit.pictures.size()));
  if (command.json) {
    fmt::print("{}\n", json_text(audit, shown));
  } else {
    print_text(audit, shown, command.root);
  }
  std::fflush(stdout);  // what follows is said of it
  log_note(caveat(audit));
  if (!command.html.empty())
    write_text_file(command.html, audit_html(audit, command.inference.checkpoint, command.root, command.top));
  return 0;
}

}  // namespace

void add_data_audit(CLI::App& data, Action& action) {
  auto audit = std::make_shared<AuditCommand>();
  CLI::App& command = *data.add_subcommand("audit", "Rank labels by how much a trained model doubts them");
  command.add_option("DIR", audit->root, "A folder with train/, valid/ and test/, or of class folders")->required();
  add_inference(command, audit->inference, "--model");
  command.add_option("--top", audit->top, "So many pictures, the most doubtful first")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--html", audit->html, "Show them on this page")->type_name("FILE")->default_str("none");
  command.add_flag("--json", audit->json, "Print one JSON object");
  command.footer(
      "A network that has learned a wrong label by heart does not doubt it: errors among the pictures that it was "
      "trained on come later than they should. Train on one part (--train A --valid B) and audit the other to see "
      "those too.");
  command.callback([audit, &action] { action = [audit] { return run(*audit); }; });
}

}  // namespace cudacards::cli
