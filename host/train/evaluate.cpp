#include "host/train/evaluate.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/loader.h"
#include "host/ops/softmax_loss.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/train/picture_feed.h"

namespace cudacards {
namespace {

/// `winner` is -1 where the model gave no number: a sample that is predicted as nothing.
void count_row(std::int32_t winner, std::int32_t label, EvalReport& report) {
  ClassReport& truth = report.per_class[static_cast<std::size_t>(label)];
  ++truth.samples;
  if (winner >= 0) ++report.per_class[static_cast<std::size_t>(winner)].predicted;
  if (winner == label) ++truth.correct;
}

/// In the order of the folder, as if nothing had been held out.
std::vector<Sample> all_of(const Dataset& dataset) {
  std::vector<Sample> all = dataset.train;
  all.insert(all.end(), dataset.valid.begin(), dataset.valid.end());
  std::sort(all.begin(), all.end(),
            [](const Sample& a, const Sample& b) { return std::tie(a.label, a.path) < std::tie(b.label, b.path); });
  return all;
}

/// Says so where the folders don't say by themselves which pictures these are.
std::vector<Sample> wanted_samples(const Dataset& dataset, const std::string& split, const std::string& data) {
  if (split.empty() && dataset.layout == DatasetLayout::kBare) {
    std::vector<Sample> all = all_of(dataset);
    log_note(fmt::format("{}: all {} pictures; --split valid takes only those that `train` holds out of this folder",
                         printable(data), all.size()));
    return all;
  }
  const std::vector<Sample>& samples = samples_of(dataset, split.empty() ? "valid" : split);
  if (samples.empty()) {
    throw Error(fmt::format("{}: has no split \"{}\"; {}", printable(data), split.empty() ? "valid" : split,
                            dataset.layout == DatasetLayout::kBare ? "leave out --split to take the whole folder"
                                                                   : "choose another with --split"));
  }
  if (split != "test" && dataset.valid_source != "valid") {
    log_note(fmt::format("{}: {} of {} pictures; valid is {}", split == "train" ? "train" : "valid", samples.size(),
                         dataset.train.size() + dataset.valid.size(), dataset.valid_source));
  }
  return samples;
}

}  // namespace

EvalReport evaluate(Plan& plan, const Pictures& pictures, const std::vector<std::string>& classes,
                    const EvaluateOptions& options) {
  EvalReport report;
  for (const auto& name : classes) report.per_class.push_back({name});
  const int batch = plan.options().batch;
  const auto class_count = static_cast<std::int64_t>(classes.size());
  Loader loader(pictures, {.batch = batch});
  std::optional<FeatureFeed> feature_feed;
  if (options.features) feature_feed.emplace(*options.features);

  std::vector<std::int32_t> winners(static_cast<std::size_t>(batch));
  SoftmaxLossResult sum;
  for (std::int64_t i = 0; i < loader.batches(); ++i) {
    const Batch& data = loader.batch(0, i);
    const Step inference{.training = false};
    if (feature_feed) {
      feature_feed->send(data, plan);
      plan.forward(inference);
    } else if (options.feed != nullptr) {
      plan.forward(options.feed->images(data), inference);
    } else {
      plan.forward(data.images, inference);
    }
    const float* logits = plan.read_logits();
    const SoftmaxLossResult part =
        softmax_loss(logits, data.labels.data(), batch, data.rows, class_count, 0.0f, nullptr, winners.data());
    sum.loss_sum += part.loss_sum;
    sum.correct += part.correct;
    sum.correct_top5 += part.correct_top5;
    for (std::size_t row = 0; row < static_cast<std::size_t>(data.rows); ++row) {
      count_row(winners[row], data.labels[row], report);
      if (options.visit) {
        options.visit(data.indices[row], data.labels[row], winners[row],
                      {logits + row * classes.size(), classes.size()});
      }
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
  const Dataset dataset = scan_dataset({.root = data, .classes = model.classes()});
  const std::vector<Sample> samples = wanted_samples(dataset, split, data);
  const Pictures pictures = decode_pictures(samples, model.height(), model.width(), kBadLimit, model.classes());
  for (const BadFile& bad : pictures.bad()) log_warning(fmt::format("skipped {}: {}", bad.path, bad.reason));
  return evaluate(model.plan(), pictures, model.classes());
}

}  // namespace cudacards
