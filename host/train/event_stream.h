#pragma once
// A run as a stream of events for programs: a JSON object a line, each written at once. docs/formats.md has the fields.

#include <cstdio>
#include <mutex>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "host/train/trainer.h"

namespace cudacards {

class EventStream {
 public:
  explicit EventStream(std::FILE* out) : out_(out) {}

  /// Of a run: "started", "epoch", "best", "checkpoint". They refer to this stream.
  RunListeners listeners();

  void warning(const std::string& message);
  /// `report`: the page's path, empty where there is none.
  void finished(const TrainResult& result, const std::string& report);
  void stopped(const TrainResult& result, int signal);
  void error(const std::string& message, int exit_code);

 private:
  void write(const char* event, const nlohmann::ordered_json& fields);

  std::FILE* const out_;
  std::mutex mutex_;  // warnings come from any thread
};

}  // namespace cudacards
