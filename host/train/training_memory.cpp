#include "host/train/training_memory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/runtime/error.h"
#include "host/runtime/memory.h"

namespace cudacards {
namespace {

/// Buffers of one fp32 a parameter: values, gradients, moments, average.
std::size_t parameter_buffers(const RunConfig& config) {
  const std::size_t moments = config.optimizer.kind == OptimizerKind::kSgd ? 1 : 2;
  return 2 + moments + (config.ema_decay > 0 ? 1 : 0);
}

/// 0: not even a batch of one fits.
int largest_batch(int too_large, const MemoryOfBatch& need_of, std::size_t have) {
  int fits = 0;
  while (too_large - fits > 1) {
    const int batch = fits + (too_large - fits) / 2;
    (need_of(batch).total() <= have ? fits : too_large) = batch;
  }
  return fits;
}

}  // namespace

TrainingMemory training_memory(const Graph& graph, const RunConfig& config, std::int64_t pictures, const Target& target,
                               const std::shared_ptr<const TuningTable>& tuning) {
  const PlanMemory plan = Plan::measure(graph, plan_options(config, target, tuning));
  const auto side = static_cast<std::size_t>(config.image_size);
  return {.plan = plan.arena + plan.packed + plan.copy,
          .parameters = parameter_buffers(config) * plan.gradients,
          .pictures = static_cast<std::size_t>(pictures) * side * side * 3,
          .largest = plan.largest};
}

std::string to_string(const TrainingMemory& memory) {
  return fmt::format("{} (plan {}, parameters with gradients and optimizer {}, pictures {}{})",
                     mebibytes(memory.total()), mebibytes(memory.plan), mebibytes(memory.parameters),
                     mebibytes(memory.pictures), memory.features > 0 ? ", features " + mebibytes(memory.features) : "");
}

void require_memory(int batch, const MemoryOfBatch& need_of, std::size_t have, DeviceKind device) {
  const TrainingMemory need = need_of(batch);
  if (need.total() <= have) return;
  const int fits = largest_batch(batch, need_of, have);
  std::vector<std::string> largest;
  for (const NamedBytes& tensor : need.largest) largest.push_back(tensor.name + " " + mebibytes(tensor.bytes));
  throw Error(fmt::format(
      "out of {}memory before it begins: the run needs {}, and {} are free; the largest tensors: {}; {}",
      device == DeviceKind::kCpu ? "" : "device ", mebibytes(need.total()), mebibytes(have), fmt::join(largest, ", "),
      fits > 0 ? fmt::format("the largest --batch that fits is {}", fits)
               : "no --batch fits: use a smaller --image-size or fewer pictures"));
}

}  // namespace cudacards
