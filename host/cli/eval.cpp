// cudacards eval CKPT --data DIR: how good a model is.

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/report/table.h"
#include "host/train/evaluate.h"

namespace cudacards::cli {
namespace {

struct EvalCommand {
  InferenceOptions inference;
  std::string data, split;
  bool json = false;
};

std::string to_json(const EvalReport& report) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (const ClassReport& c : report.per_class) {
    classes.push_back({{"label", c.name},
                       {"samples", c.samples},
                       {"correct", c.correct},
                       {"predicted", c.predicted},
                       {"precision", c.precision()},
                       {"recall", c.recall()},
                       {"f1", c.f1()}});
  }
  const nlohmann::ordered_json json = {{"samples", report.samples},
                                       {"loss", report.loss},
                                       {"accuracy", report.accuracy},
                                       {"top5_accuracy", report.top5_accuracy},
                                       {"per_class", classes}};
  return json.dump();
}

std::string to_table(const EvalReport& report) {
  Table table({{"Class"},
               {"Samples", Align::kRight},
               {"Precision", Align::kRight},
               {"Recall", Align::kRight},
               {"F1", Align::kRight}});
  for (const ClassReport& c : report.per_class) {
    table.add({c.name, fmt::format("{}", c.samples), fmt::format("{:.3f}", c.precision()),
               fmt::format("{:.3f}", c.recall()), fmt::format("{:.3f}", c.f1())});
  }
  return table.to_string() + fmt::format("{} samples: loss {:.4f}, accuracy {:.4f}, top-5 accuracy {:.4f}\n",
                                         report.samples, report.loss, report.accuracy, report.top5_accuracy);
}

int run(const EvalCommand& eval) {
  Model model = load_model(eval.inference);
  const EvalReport report = evaluate(model, eval.data, eval.split);
  fmt::print("{}", eval.json ? to_json(report) + "\n" : to_table(report));
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto eval = std::make_shared<EvalCommand>();
  CLI::App& command =
      *app.add_subcommand("eval", "Measure a model on labelled pictures: loss, top-1, top-5, each class");
  add_inference(command, eval->inference);
  command.add_option("--data", eval->data, "A folder with train/, valid/ and test/, or of class folders")
      ->type_name("DIR")
      ->required();
  command
      .add_option(
          "--split", eval->split,
          "Which of DIR's: train, valid or test. Where DIR has no valid, train and valid are what `train` makes "
          "of DIR")
      ->type_name("NAME")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->default_str("valid, or all of a folder of class folders");
  command.add_flag("--json", eval->json, "Print JSON");
  command.callback([eval, &action] { action = [eval] { return run(*eval); }; });
}

}  // namespace cudacards::cli
