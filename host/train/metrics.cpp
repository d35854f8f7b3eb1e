#include "host/train/metrics.h"

#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/train/run_folder.h"

namespace cudacards {

std::string to_json_line(const EpochMetrics& m) {
  nlohmann::ordered_json line = {{"epoch", m.epoch},       {"step", m.step},
                                 {"loss", m.loss},         {"accuracy", m.accuracy},
                                 {"val_loss", m.val_loss}, {"val_accuracy", m.val_accuracy},
                                 {"rate", m.rate},         {"images_per_second", m.images_per_second},
                                 {"seconds", m.seconds}};
  return line.dump();
}

namespace {

// JSON has no NaN: it is written as null.
double number(const nlohmann::json& line, const char* key) {
  const auto value = line.find(key);
  return value != line.end() && value->is_number() ? value->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<EpochMetrics> read_metrics(const std::string& path) {
  std::vector<EpochMetrics> epochs;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    EpochMetrics m;
    m.epoch = line.value("epoch", std::int64_t{0});
    m.step = line.value("step", std::uint64_t{0});
    m.loss = number(line, "loss");
    m.accuracy = number(line, "accuracy");
    m.val_loss = number(line, "val_loss");
    m.val_accuracy = number(line, "val_accuracy");
    m.rate = number(line, "rate");
    m.images_per_second = number(line, "images_per_second");
    m.seconds = number(line, "seconds");
    epochs.push_back(m);
  }
  return epochs;
}

void write_metrics(const std::string& run, const std::vector<EpochMetrics>& epochs) {
  std::string lines;
  std::string table = "epoch,step,loss,accuracy,val_loss,val_accuracy,rate,images_per_second,seconds\n";
  for (const auto& m : epochs) {
    lines += to_json_line(m) + "\n";
    table += fmt::format("{},{},{:.6f},{:.6f},{:.6f},{:.6f},{:.8g},{:.2f},{:.2f}\n", m.epoch, m.step, m.loss,
                         m.accuracy, m.val_loss, m.val_accuracy, m.rate, m.images_per_second, m.seconds);
  }
  write_text_file(run + "/metrics.jsonl", lines);
  write_text_file(run + "/results.csv", table);
}

}  // namespace cudacards
