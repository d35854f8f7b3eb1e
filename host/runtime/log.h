#pragma once
// What a person should know while the program works: notes and warnings, a line each, on standard error. Standard
// output belongs to results. Errors are thrown (error.h), not logged.

#include <cstdint>
#include <functional>
#include <string>

namespace cudacards {

enum class LogLevel : std::uint8_t { kNote, kWarning };

void log_note(const std::string& line);
void log_warning(const std::string& line);

/// A line as it goes to standard error when nobody else listens.
void log_to_standard_error(LogLevel level, const std::string& line);

using LogSink = std::function<void(LogLevel, const std::string& line)>;
/// Sends lines to `sink` from now on, and returns the sink before it. An empty one means standard error. For tests and
/// embedding.
LogSink set_log_sink(LogSink sink);

}  // namespace cudacards
