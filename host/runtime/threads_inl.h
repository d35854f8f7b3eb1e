#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <vector>

namespace cudacards {

template <class Body>
void parallel_ranges(std::int64_t count, Body&& body) {
  const int parts = static_cast<int>(std::min<std::int64_t>(threads(), count));
  if (parts <= 1) {
    if (count > 0) body(std::int64_t{0}, count, 0);
    return;
  }
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(parts));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    try {
      body(count * part / parts, count * (part + 1) / parts, part);
    } catch (...) {
      errors[static_cast<std::size_t>(part)] = std::current_exception();
    }
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

template <class Body>
void parallel_items(std::int64_t count, const WorkProgress& progress, Body&& body) {
  std::mutex reporting;
  std::int64_t done = 0;
  std::atomic<bool> failed = false;
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end && !failed; ++i) {
      try {
        body(i);
        if (!progress) continue;
        const std::lock_guard lock(reporting);
        progress(++done, count);
      } catch (...) {
        failed = true;
        throw;
      }
    }
  });
}

}  // namespace cudacards
