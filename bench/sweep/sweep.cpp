#include "bench/sweep/sweep.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "bench/sweep/header.h"
#include "host/runtime/error.h"

namespace cudacards::sweep {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(fmt::format("{}: cannot be read; run in the repository's root, or say --source", path.string()));
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw Error(fmt::format("{}: cannot be written", path.string()));
}

std::string row_of(const StudyResult& result, Arch arch) {
  return row_text(arch, result.study.rows[result.outcome.row], result.outcome.evidence);
}

void check_headers(const std::vector<Study>& studies, const std::filesystem::path& source, Arch arch) {
  for (const Study& study : studies) {
    if (study.scope == Scope::kArchitecture)
      with_row(read_file(source / study.header), study.table, arch, row_text(arch, study.rows[0], ""));
  }
}

std::string line_of(const Experiment& experiment, const Timings& timings) {
  std::string line = experiment.name + ":";
  for (std::size_t i = 0; i < timings.size(); ++i) {
    line += i == 0 ? " " : ", ";
    line += timings[i].refusal.empty()
                ? fmt::format("{} {:.1f} us", experiment.choices[i].name, timings[i].microseconds)
                : experiment.choices[i].name + " refused";
  }
  return line;
}

}  // namespace

SweepResult run_sweep(std::vector<Study> studies, Machine& machine, const SweepOptions& options) {
  const auto say = [&](const std::string& line) {
    if (options.say) options.say(line);
  };
  if (options.write == Write::kYes) check_headers(studies, options.source, machine.arch());
  SweepResult sweep = {.gpu = machine.gpu(), .arch = machine.arch(), .date = options.date, .studies = {}};
  for (Study& study : studies) {
    StudyResult result;
    for (const Experiment& experiment : study.experiments) {
      result.timings.push_back(measure(experiment, machine));
      const Timings& timings = result.timings.back();
      say(fmt::format("{}: {}", study.table, line_of(experiment, timings)));
      for (std::size_t i = 0; i < timings.size(); ++i) {
        if (timings[i].refusal.empty()) continue;
        ++sweep.refusals;
        say(fmt::format("REFUSED: {}, {}: {}", experiment.name, experiment.choices[i].name, timings[i].refusal));
      }
    }
    result.outcome = choose(study, result.timings, sweep.gpu, options.date);
    result.study = std::move(study);
    if (options.write == Write::kYes && result.outcome.is_decided && result.study.scope == Scope::kArchitecture) {
      const std::filesystem::path path = options.source / result.study.header;
      write_file(path, with_row(read_file(path), result.study.table, sweep.arch, row_of(result, sweep.arch)));
      result.is_written = true;
    }
    sweep.studies.push_back(std::move(result));
  }
  return sweep;
}

std::string text_of(const SweepResult& sweep) {
  std::string text;
  for (const StudyResult& result : sweep.studies) {
    const Study& study = result.study;
    text += fmt::format("{} ({})\n", study.table, study.header);
    if (!result.outcome.is_decided) {
      text += fmt::format("    left as it is: {}\n", result.outcome.evidence);
    } else if (study.scope == Scope::kArchitecture) {
      text += row_of(result, sweep.arch);
      text += result.is_written ? "    written\n" : "    not written: --write does\n";
    } else if (result.outcome.row == 0) {
      text += fmt::format("    left as it is: {}; {}\n", study.rows[0], result.outcome.evidence);
    } else {
      text += fmt::format(
          "    proposed: {}\n    {}\n    not written: it decides the order of sums, and all machines share the row\n",
          study.rows[result.outcome.row], result.outcome.evidence);
    }
  }
  if (sweep.refusals > 0) text += fmt::format("{} refused: a kernel is wrong, see above\n", sweep.refusals);
  return text;
}

nlohmann::json json_of(const SweepResult& sweep) {
  nlohmann::json studies = nlohmann::json::array();
  for (const StudyResult& result : sweep.studies) {
    const Study& study = result.study;
    nlohmann::json experiments = nlohmann::json::array(), rows = nlohmann::json::array();
    for (std::size_t i = 0; i < study.experiments.size(); ++i) {
      nlohmann::json choices = nlohmann::json::array();
      for (std::size_t choice = 0; choice < study.experiments[i].choices.size(); ++choice) {
        const Timing& timing = result.timings[i][choice];
        nlohmann::json entry = {{"name", study.experiments[i].choices[choice].name}};
        if (timing.refusal.empty()) {
          entry["microseconds"] = timing.microseconds;
        } else {
          entry["refusal"] = timing.refusal;
        }
        choices.push_back(std::move(entry));
      }
      experiments.push_back({{"name", study.experiments[i].name}, {"choices", std::move(choices)}});
    }
    for (const std::string& row : study.rows) rows.push_back(row);
    studies.push_back({{"table", study.table},
                       {"header", study.header},
                       {"scope", study.scope == Scope::kArchitecture ? "architecture" : "all machines"},
                       {"rows", std::move(rows)},
                       {"decided", result.outcome.is_decided},
                       {"row", result.outcome.row},
                       {"evidence", result.outcome.evidence},
                       {"written", result.is_written},
                       {"experiments", std::move(experiments)}});
  }
  return {{"gpu", sweep.gpu},
          {"arch", fmt::format("sm_{}{}", sweep.arch.major, sweep.arch.minor)},
          {"date", sweep.date},
          {"refusals", sweep.refusals},
          {"studies", std::move(studies)}};
}

std::string list_of(const std::vector<Study>& studies) {
  std::string text;
  for (const Study& study : studies) {
    text += fmt::format("{} ({}): {} rows, {} experiments\n", study.table, study.header, study.rows.size(),
                        study.experiments.size());
    for (const Experiment& experiment : study.experiments) {
      text += "    " + experiment.name + ":";
      for (std::size_t i = 0; i < experiment.choices.size(); ++i)
        text += (i == 0 ? " " : ", ") + experiment.choices[i].name;
      text += '\n';
    }
  }
  return text;
}

}  // namespace cudacards::sweep
