#pragma once
// What a run will take, known before any of it is taken.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/runtime/device_kind.h"
#include "host/train/run_config.h"

namespace cudacards {

/// In bytes.
struct TrainingMemory {
  std::size_t plan = 0;             // activations and their gradients, workspaces, packed weights
  std::size_t parameters = 0;       // with their gradients, the optimizer's moments and the average
  std::size_t pictures = 0;         // decoded, train and valid; on a device those that it keeps
  std::size_t features = 0;         // of a frozen part (host/train/features.h), and the plan that computes them
  std::vector<NamedBytes> largest;  // of the plan's tensors
  std::size_t total() const { return plan + parameters + pictures + features; }
};

/// Of the target's memory. `pictures` of image_size x image_size x 3 bytes are kept decoded.
TrainingMemory training_memory(const Graph& graph, const RunConfig& config, std::int64_t pictures,
                               const Target& target = {}, const std::shared_ptr<const TuningTable>& tuning = nullptr);

/// "1713.2 MiB (plan 512.3 MiB, ...)".
std::string to_string(const TrainingMemory& memory);

/// What a run would need with that batch.
using MemoryOfBatch = std::function<TrainingMemory(int batch)>;

/// Throws Error where more than `have` bytes of a device's memory are needed for `batch`: need, have, the largest
/// tensors, and the largest batch that would fit.
void require_memory(int batch, const MemoryOfBatch& need_of, std::size_t have, DeviceKind device = DeviceKind::kCpu);

}  // namespace cudacards
