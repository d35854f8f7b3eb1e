#pragma once
// One whole training step on the CPU, ready to be timed: pictures in, forward, loss, backward, Adam.

#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/plan.h"
#include "host/ops/optimizer.h"
#include "host/ops/softmax_loss.h"
#include "kernels/base/philox.h"
#include "models/registry.h"

namespace cudacards::bench {

constexpr int kBatches = 3;  // taken in turn, so that no step finds its pictures in the cache
constexpr std::uint64_t kSeed = 1234;

struct LabelledBatch {
  std::vector<std::uint8_t> pixels;  // (N,H,W,3)
  std::vector<const std::uint8_t*> images;
  std::vector<std::int32_t> labels;
};

inline std::vector<LabelledBatch> random_batches(const ModelSpec& spec, int count) {
  const std::size_t picture =
      std::size_t{3} * static_cast<std::size_t>(spec.height) * static_cast<std::size_t>(spec.width);
  std::vector<LabelledBatch> batches(kBatches);
  for (std::uint32_t b = 0; b < kBatches; ++b) {
    LabelledBatch& batch = batches[b];
    batch.pixels.resize(picture * static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < batch.pixels.size(); ++i) {
      const Random4 words = random4(kSeed, RandomPurpose::kShuffle, i >> 4, b, 0);  // 16 bytes of pixels each
      batch.pixels[i] = static_cast<std::uint8_t>(words.v[i / 4 % 4] >> (i % 4 * 8));
    }
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i) {
      batch.images.push_back(batch.pixels.data() + picture * i);
      batch.labels.push_back(static_cast<std::int32_t>(random4(kSeed, RandomPurpose::kShuffle, 0, b, i + 1).v[0] %
                                                       static_cast<std::uint32_t>(spec.classes)));
    }
  }
  return batches;
}

class TrainingStep {
 public:
  TrainingStep(const std::string& arch, const ModelSpec& spec, const PlanOptions& options)
      : graph_(build_model(arch, spec)),
        parameters_(graph_),
        plan_(Plan::make(graph_, parameters_, options)),
        segments_(parameters_.segments()),
        moments_(2 * static_cast<std::size_t>(parameters_.size()) * sizeof(float), "Adam's moments"),
        batches_(random_batches(spec, options.batch)) {
    parameters_.initialise(kSeed);
  }

  /// The mean loss of the batch, before the update.
  double run() {
    const LabelledBatch& batch = batches_[number_ % kBatches];
    const Step step{.training = true, .seed = kSeed, .number = number_++};
    const auto rows = static_cast<std::int64_t>(batch.labels.size());
    const auto size = static_cast<std::size_t>(parameters_.size());
    plan_.forward({.images = batch.images, .transforms = {}}, step);
    const auto loss =
        softmax_loss(plan_.logits(), batch.labels.data(), rows, rows, graph_.classes(), 0.0f, plan_.diff_logits());
    plan_.backward(step);
    optimizer_step({}, segments_, 1e-3f, step.number, parameters_.values(), plan_.gradients(),
                   moments_.as<float>().first(size), moments_.as<float>().last(size));
    parameters_.touch();
    return loss.loss_sum / static_cast<double>(rows);
  }

  const Plan& plan() const { return plan_; }

 private:
  const Graph graph_;
  Parameters parameters_;
  Plan plan_;
  const std::vector<OptimizerSegment> segments_;
  Buffer moments_;
  const std::vector<LabelledBatch> batches_;
  std::uint64_t number_ = 0;
};

}  // namespace cudacards::bench
