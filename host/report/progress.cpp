#include "host/report/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/terminal.h"

namespace cudacards {

std::string duration_text(double seconds) {
  const auto s = static_cast<long>(std::lround(std::max(0.0, seconds)));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

WorkProgress counting(const char* what, Progress& progress, const std::atomic<int>* stop) {
  return [=, &progress](std::int64_t done, std::int64_t all) {
    const int signal = stop == nullptr ? 0 : stop->load();
    if (signal != 0) throw Error(fmt::format("stopped while {}: {} of {}", what, done, all), 128 + signal);
    progress.count(what, done, all);
  };
}

Progress::Progress(bool quiet) : quiet_(quiet) {}

Progress::~Progress() { clear_status(); }

void Progress::redraw(const std::string& line, Pace pace) {
  if (quiet_ || !can_redraw()) return;
  const auto now = std::chrono::steady_clock::now();
  if (pace == Pace::kWhenDue && now - last_drawn_ < std::chrono::milliseconds(100)) return;
  last_drawn_ = now;
  draw_status(line);
}

void Progress::step(const StepProgress& p) {
  redraw(fmt::format("epoch {}/{}  step {}/{}  loss {:.4f}  accuracy {:.4f}  {:.0f} img/s  data {:.0f} %  left {}",
                     p.epoch, p.epochs, p.step, p.steps, p.loss, p.accuracy, p.images_per_second,
                     100 * p.data_wait_share, duration_text(p.seconds_left)),
         p.step == p.steps ? Pace::kNow : Pace::kWhenDue);
}

void Progress::count(const char* what, std::int64_t done, std::int64_t all) {
  if (done == all) return clear_status();
  redraw(fmt::format("{} {}/{}", what, done, all), Pace::kWhenDue);
}

void Progress::epoch(const EpochMetrics& m, std::int64_t epochs, bool is_best) {
  if (quiet_) return;
  note(fmt::format(
      "epoch {:>3}/{}  loss {:.4f}  accuracy {:.4f}  val_loss {:.4f}  val_accuracy {:.4f}{}  {:.0f} img/s  {}", m.epoch,
      epochs, m.loss, m.accuracy, m.val_loss, m.val_accuracy, is_best ? " " + coloured("*", Colour::kGreen) : "  ",
      m.images_per_second, duration_text(m.seconds)));
}

void Progress::note(const std::string& line) {
  if (quiet_) return;
  print_line(line);
}

}  // namespace cudacards
