#include "host/train/tuning.h"

#include <fmt/format.h>

#include "host/graph/tune.h"
#include "host/ops/place.h"
#include "host/train/tuning_file.h"

namespace cudacards {

Tune effective(Tune tune, DeviceKind device) {
  if (tune != Tune::kAuto) return tune;
  return device == DeviceKind::kCuda ? Tune::kOn : Tune::kOff;
}

std::shared_ptr<const TuningTable> tuning_for(const Graph& graph, const PlanOptions& options, Device& device, Tune tune,
                                              const std::function<void(const std::string&)>& note) {
  if (effective(tune, device.kind()) == Tune::kOff) return nullptr;
  if (device.kind() == DeviceKind::kEmulated) note("--tune: times on the emulator say nothing about any GPU");
  const TuningCache cache = TuningCache::of_user();
  int measured = 0;
  auto table = std::make_shared<TuningTable>(cudacards::tune(
      graph, options, device, cache.read(place_of(device)), measured, [&](const std::string& node, int left) {
        note(fmt::format("measuring the implementations of {} ({} to go)", node, left));
      }));
  if (measured > 0) cache.add(*table);
  return table;
}

}  // namespace cudacards
