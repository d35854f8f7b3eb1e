#pragma once
// Statistics for batch norms that came folded into their convolutions.

#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/graph/parameters.h"
#include "host/runtime/threads.h"

namespace cudacards {

/// For every batch norm that is the identity with a shift (weights/import.h): mean and variance of its source over the
/// pictures, and the gamma and beta with which its result stays what it was. Then batch statistics can be used as well
/// as running ones. Pictures are read as for inference. Throws Error for one that cannot be read. `progress` counts
/// pictures; what it throws stops the work.
void calibrate_batch_norms(const Graph& graph, Parameters& parameters, const std::vector<std::string>& pictures,
                           const WorkProgress& progress = {});

}  // namespace cudacards
