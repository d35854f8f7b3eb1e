#include "host/report/progress.h"

#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

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

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::clear_line() {
  if (line_is_open_) std::fputs("\r\033[K", stderr);
  line_is_open_ = false;
}

void Progress::redraw(std::string line, bool is_last) {
  if (quiet_ || !terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!is_last && now - last_drawn_ < std::chrono::milliseconds(100)) return;
  last_drawn_ = now;
  line.resize(std::min(line.size(), terminal_columns() - 1));  // a wrapped line could not be redrawn
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  line_is_open_ = true;
}

void Progress::step(const StepProgress& p) {
  redraw(fmt::format("epoch {}/{}  step {}/{}  loss {:.4f}  accuracy {:.4f}  {:.0f} img/s  data {:.0f} %  left {}",
                     p.epoch, p.epochs, p.step, p.steps, p.loss, p.accuracy, p.images_per_second,
                     100 * p.data_wait_share, duration_text(p.seconds_left)),
         p.step == p.steps);
}

void Progress::count(const char* what, std::int64_t done, std::int64_t all) {
  redraw(fmt::format("{} {}/{}", what, done, all), done == all);
}

void Progress::epoch(const EpochMetrics& m, std::int64_t epochs, bool is_best) {
  if (quiet_) return;
  note(fmt::format(
      "epoch {:>3}/{}  loss {:.4f}  accuracy {:.4f}  val_loss {:.4f}  val_accuracy {:.4f}{}  {:.0f} img/s  {}", m.epoch,
      epochs, m.loss, m.accuracy, m.val_loss, m.val_accuracy, is_best ? " *" : "  ", m.images_per_second,
      duration_text(m.seconds)));
}

void Progress::note(const std::string& line) {
  if (quiet_) return;
  clear_line();
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace cudacards
