#include "host/runtime/log.h"

#include <cstdio>
#include <mutex>
#include <utility>

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
    std::fprintf(stderr, "%s%s\n", level == LogLevel::kWarning ? "cudacards: warning: " : "", line.c_str());
  }
}

}  // namespace

void log_note(const std::string& line) { log(LogLevel::kNote, line); }
void log_warning(const std::string& line) { log(LogLevel::kWarning, line); }

LogSink set_log_sink(LogSink sink) {
  const std::lock_guard lock(mutex);
  return std::exchange(current_sink(), std::move(sink));
}

}  // namespace cudacards
