#pragma once
// Ctrl-C and SIGTERM ask a command to stop; whatever it has begun is finished or taken back.

#include <atomic>

namespace cudacards::cli {

/// From now on the first signal only sets the flag to its number; a second one ends the program at once. A reader of
/// our output that goes away no longer ends the program.
const std::atomic<int>& stop_on_signals();

}  // namespace cudacards::cli
