#pragma once
// What a person sees while a run goes on: one line that is redrawn on a terminal, a line an epoch anywhere else. On
// standard error.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "host/report/epoch_metrics.h"
#include "host/runtime/threads.h"

namespace cudacards {

struct StepProgress {
  std::int64_t epoch = 0, epochs = 0;  // counted from 1
  std::int64_t step = 0, steps = 0;    // in the epoch, done so far
  double loss = 0, accuracy = 0;       // of the epoch so far
  double images_per_second = 0;
  double data_wait_share = 0;  // of the wall time of the epoch
  double seconds_left = 0;     // of the whole run
};

class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();  // what is said next starts a line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void step(const StepProgress& progress);  // drawn at most ten times a second
  void epoch(const EpochMetrics& metrics, std::int64_t epochs, bool is_best);
  /// Work that is not training: "drawing cards 120/2120". Gone when all is done.
  void count(const char* what, std::int64_t done, std::int64_t all);
  /// A line of its own, whatever is being redrawn.
  void note(const std::string& line);

 private:
  enum class Pace : std::uint8_t { kWhenDue, kNow };
  void redraw(const std::string& line, Pace pace);
  const bool quiet_;
  std::chrono::steady_clock::time_point last_drawn_{};
};

/// Shows the count of `what` ("drawing cards"), and stops the work with an Error of exit code 128 + *stop once that is
/// not zero; a null `stop` never does.
WorkProgress counting(const char* what, Progress& progress, const std::atomic<int>* stop);

/// "1:02:03", "4:05", "0:07".
std::string duration_text(double seconds);

}  // namespace cudacards
