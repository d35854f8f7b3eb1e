#pragma once
// The one place that knows how work is spread over CPU threads. The count is part of a run's identity: the same
// --threads gives the same bytes on any machine, because the work is split by this count and never by the number of
// cores.

#include <cstdint>
#include <functional>

namespace cudacards {

/// Sets the count for this program: OpenMP, oneDNN and the loops below. 0 means one a usable core (affinity and cgroup
/// quota).
void set_threads(int count);
int threads();

/// Calls body(begin, end, thread) on contiguous shares of [0, count), one share a thread, in parallel. Shares depend
/// only on count and threads(). Exceptions thrown by the body are rethrown here (the first by thread index).
template <class Body>
void parallel_ranges(std::int64_t count, Body&& body);

/// (items done, items in all).
using WorkProgress = std::function<void(std::int64_t, std::int64_t)>;

/// Calls body(i) for each i in [0, count), in parallel, and progress(done, count) after each, from one thread at a
/// time. What either throws stops the work after the items in hand and is rethrown here.
template <class Body>
void parallel_items(std::int64_t count, const WorkProgress& progress, Body&& body);

}  // namespace cudacards

#include "host/runtime/threads_inl.h"
