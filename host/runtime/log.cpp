#include "host/runtime/log.h"

#include <mutex>
#include <utility>

#include "host/runtime/terminal.h"

namespace cudacards {
namespace {

std::mutex mutex;  // loader threads report too

LogSink& current_sink() {
  static LogSink sink;
  return sink;
}

void log(LogLevel level, const std::string& line) {
  const std::lock_guard lock(mutex);
  if (const LogSink& sink = current_sink()) {
    sink(level, line);
  } else {
    log_to_standard_error(level, line);
  }
}

}  // namespace

void log_to_standard_error(LogLevel level, const std::string& line) {
  print_line(level == LogLevel::kWarning ? coloured("cudacards: warning: ", Colour::kYellow) + line : line);
}

void log_note(const std::string& line) { log(LogLevel::kNote, line); }
void log_warning(const std::string& line) { log(LogLevel::kWarning, line); }

LogSink set_log_sink(LogSink sink) {
  const std::lock_guard lock(mutex);
  return std::exchange(current_sink(), std::move(sink));
}

}  // namespace cudacards
