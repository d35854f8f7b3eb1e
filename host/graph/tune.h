#pragma once
// Measuring what a plan chooses by, before it is made: a plan itself only looks things up.

#include <functional>
#include <string>

#include "host/graph/plan.h"
#include "host/ops/measure.h"

namespace cudacards {

/// Before each measurement: the node, and how many problems are left with this one.
using TuneProgress = std::function<void(const std::string& node, int left)>;

/// What `known` has for the nodes of a plan of the graph, and what it lacks, measured on the device: nodes for which
/// several implementations stand to choose and of which the errors have a bound. A candidate that disagrees or fails is
/// warned of and marked. What cannot be measured (memory) is noted and left out. `measured` becomes the number of
/// problems that were.
TuningTable tune(const Graph& graph, PlanOptions options, Device& device, const TuningTable& known, int& measured,
                 const TuneProgress& progress = {}, const MeasureOptions& how = {});

}  // namespace cudacards
