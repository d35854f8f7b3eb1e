#include "host/runtime/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include <fmt/format.h>

namespace cudacards {
namespace {

std::mutex mutex;
std::size_t status_length = 0;  // of the line that is there; 0: none

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::size_t columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

/// A terminal that has become narrower since has broken the line: all of its rows go.
std::string erasing(std::size_t length, std::size_t width) {
  if (length == 0) return "";
  const std::size_t rows_above = (length - 1) / width;
  return rows_above == 0 ? "\r\033[K" : fmt::format("\r\033[{}A\033[J", rows_above);
}

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void take_status_away() {
  if (status_length > 0) write(erasing(status_length, columns()));
  status_length = 0;
}

}  // namespace

bool can_redraw() { return isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"; }

std::string coloured(std::string_view text, Colour colour) {
  if (!can_redraw() || !environment("NO_COLOR").empty()) return std::string(text);
  const int code = colour == Colour::kGreen ? 32 : colour == Colour::kYellow ? 33 : 31;
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

void draw_status(std::string_view line) {
  if (!can_redraw()) return;
  const std::lock_guard lock(mutex);
  const std::size_t width = columns();
  const std::string_view shown = line.substr(0, width - 1);  // a line of full width would break
  const std::string before = status_length > 0 ? erasing(status_length, width) : "\r\033[K";
  write(before + std::string(shown));
  status_length = std::max<std::size_t>(1, shown.size());
}

void clear_status() {
  const std::lock_guard lock(mutex);
  take_status_away();
}

void print_line(std::string_view line) {
  const std::lock_guard lock(mutex);
  take_status_away();
  write(std::string(line) + "\n");
}

}  // namespace cudacards
