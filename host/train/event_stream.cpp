#include "host/train/event_stream.h"

#include <chrono>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>
#include <nlohmann/json.hpp>

#include "host/data/files.h"
#include "host/report/epoch_metrics.h"
#include "host/train/metrics.h"

namespace cudacards {
namespace {

using Json = nlohmann::ordered_json;

/// Seconds since 1970, to the millisecond.
double now() {
  using std::chrono::milliseconds, std::chrono::system_clock;
  return std::round(std::chrono::duration<double, std::milli>(system_clock::now().time_since_epoch()).count()) / 1000;
}

/// run.toml, as an object of its sections.
Json json_of(const RunConfig& config) {
  std::ostringstream text;
  text << toml::json_formatter(toml::parse(to_toml(config)));
  return Json::parse(text.str());
}

Json json_of(const RunStart& start) {
  return {{"run", printable(start.run)},
          {"resumed", start.is_resumed},
          {"epoch", start.epoch},
          {"epochs", start.config.epochs},
          {"step", start.step},
          {"steps_per_epoch", start.steps_an_epoch},
          {"train_pictures", start.train_pictures},
          {"valid_pictures", start.valid_pictures},
          {"parameters", start.parameters},
          {"classes", start.classes},
          {"config", json_of(start.config)}};
}

}  // namespace

RunListeners EventStream::listeners() {
  RunListeners listeners;
  listeners.on_start = [this](const RunStart& start) { write("started", json_of(start)); };
  listeners.on_epoch = [this](const EpochMetrics& metrics, bool is_best) {
    Json fields = Json::parse(to_json_line(metrics));
    fields["is_best"] = is_best;
    write("epoch", fields);
  };
  const auto saved = [this](const char* event) {
    return [this, event](const std::string& file, std::int64_t epoch, std::uint64_t step) {
      write(event, {{"file", printable(file)}, {"epoch", epoch}, {"step", step}});
    };
  };
  listeners.on_best = saved("best");
  listeners.on_checkpoint = saved("checkpoint");
  return listeners;
}

void EventStream::warning(const std::string& message) { write("warning", {{"message", message}}); }

void EventStream::finished(const TrainResult& result, const std::string& report) {
  const EpochMetrics* best = best_epoch(result.epochs);
  Json fields = {{"run", printable(result.run)},
                 {"epochs", result.epochs.size()},
                 {"best_epoch", nullptr},
                 {"val_accuracy", nullptr},
                 {"val_loss", nullptr},
                 {"seconds", total_seconds(result.epochs)},
                 {"report", nullptr}};
  if (best != nullptr) {
    fields["best_epoch"] = best->epoch;
    fields["val_accuracy"] = best->val_accuracy;
    fields["val_loss"] = best->val_loss;
  }
  if (!report.empty()) fields["report"] = printable(report);
  write("finished", fields);
}

void EventStream::stopped(const TrainResult& result, int signal) {
  write("stopped", {{"run", printable(result.run)}, {"signal", signal}, {"epochs", result.epochs.size()}});
}

void EventStream::error(const std::string& message, int exit_code) {
  write("error", {{"message", message}, {"exit_code", exit_code}});
}

void EventStream::write(const char* event, const Json& fields) {
  Json line = {{"event", event}, {"time", now()}};
  line.update(fields);
  // A message may quote a name that is not UTF-8.
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), out_);  // the program's end looks at the stream's state
  std::fflush(out_);
}

}  // namespace cudacards
