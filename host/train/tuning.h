#pragma once
// By which measurements a plan chooses its implementations.
//
// With tuning, a plan takes the fastest of those whose results agree: as measured on this place before (the user's
// cache), else measured now and kept there. Without it the lists' order decides and no cache is asked, so that a plan
// depends on nothing but the command. `auto` tunes on a GPU, where measuring takes seconds and the differences are
// large; on the CPU the order is what measurements of the models gave, and measuring takes longer than it gains in a
// short run; on the emulator times mean nothing.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "host/graph/plan.h"
#include "host/runtime/device.h"
#include "host/runtime/log.h"

namespace cudacards {

enum class Tune : std::uint8_t { kAuto, kOn, kOff };

/// What `auto` means on a device: on or off.
Tune effective(Tune tune, DeviceKind device);

/// Null without tuning. Otherwise measurements for every node of the graph's plan that has a choice; those that the
/// user's cache lacks are made now (tune.h) and added to the cache; `note` hears of each.
std::shared_ptr<const TuningTable> tuning_for(const Graph& graph, const PlanOptions& options, Device& device, Tune tune,
                                              const std::function<void(const std::string&)>& note = log_note);

}  // namespace cudacards
