#include "host/train/evaluate.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "host/data/folder_scan.h"
#include "host/data/loader.h"
#include "host/ops/softmax_loss.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"

namespace cudacards {
namespace {

/// `winner` is -1 where the model gave no number: a sample that is predicted as nothing.
void count_row(std::int32_t winner, std::int32_t label, EvalReport& report) {
  ClassReport& truth = report.per_class[static_cast<std::size_t>(label)];
  ++truth.samples;
  if (winner >= 0) ++report.per_class[static_cast<std::size_t>(winner)].predicted;
  if (winner == label) ++truth.correct;
}

/// A bare folder of class folders is, whole, the split that was asked for.
bool is_bare(const std::string& data) {
  const FolderScan scan = scan_folders({.root = data});
  return scan.splits.size() == 1 && scan.splits.front().path == data;
}

const std::vector<Sample>& samples_of(const Dataset& dataset, const std::string& split, const std::string& data) {
  const auto& samples = split == "train" ? dataset.train : split == "valid" ? dataset.valid : dataset.test;
  if (samples.empty()) throw Error(fmt::format("{}: has no split \"{}\"; choose another with --split", data, split));
  return samples;
}

}  // namespace

EvalReport evaluate(Plan& plan, const Pictures& pictures, const std::vector<std::string>& classes) {
  EvalReport report;
  for (const auto& name : classes) report.per_class.push_back({name});
  const int batch = plan.options().batch;
  const auto class_count = static_cast<std::int64_t>(classes.size());
  Loader loader(pictures, {.batch = batch});

  std::vector<std::int32_t> winners(static_cast<std::size_t>(batch));
  SoftmaxLossResult sum;
  for (std::int64_t i = 0; i < loader.batches(); ++i) {
    const Batch& data = loader.batch(0, i);
    plan.forward(data.images, Step{.training = false});
    const SoftmaxLossResult part =
        softmax_loss(plan.logits(), data.labels.data(), batch, data.rows, class_count, 0.0f, nullptr, winners.data());
    sum.loss_sum += part.loss_sum;
    sum.correct += part.correct;
    sum.correct_top5 += part.correct_top5;
    for (std::size_t row = 0; row < static_cast<std::size_t>(data.rows); ++row) {
      count_row(winners[row], data.labels[row], report);
    }
  }
  report.samples = pictures.size();
  const auto n = static_cast<double>(std::max<std::int64_t>(1, report.samples));
  report.loss = sum.loss_sum / n;
  report.accuracy = static_cast<double>(sum.correct) / n;
  report.top5_accuracy = static_cast<double>(sum.correct_top5) / n;
  return report;
}

EvalReport evaluate(Model& model, const std::string& data, const std::string& split) {
  const bool bare = is_bare(data);
  const Dataset dataset = scan_dataset(bare ? DatasetOptions{.test = data, .classes = model.classes()}
                                            : DatasetOptions{.root = data, .classes = model.classes()});
  const auto& samples = samples_of(dataset, bare ? "test" : split, data);
  const Pictures pictures = decode_pictures(samples, model.height(), model.width(), kBadLimit, model.classes());
  for (const BadFile& bad : pictures.bad()) log_warning(fmt::format("skipped {}: {}", bad.path, bad.reason));
  return evaluate(model.plan(), pictures, model.classes());
}

}  // namespace cudacards
