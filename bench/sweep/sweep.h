#pragma once
// A whole sweep: measure, choose, write the rows, report.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/sweep/choose.h"
#include "bench/sweep/machine.h"
#include "bench/sweep/study.h"

namespace cudacards::sweep {

enum class Write : bool { kNo, kYes };

struct SweepOptions {
  std::filesystem::path source = ".";  // the repository's root, whose headers are written
  Write write = Write::kNo;
  std::string date;                                       // "2026-08-02"
  std::function<void(const std::string&)> say = nullptr;  // progress and refusals, a line each; null: silent
};

struct StudyResult {
  Study study;
  std::vector<Timings> timings;  // an experiment
  Outcome outcome;
  bool is_written = false;
};
struct SweepResult {
  std::string gpu;
  Arch arch;
  std::string date;
  std::vector<StudyResult> studies;
  int refusals = 0;  // choices that failed or disagreed: a kernel is wrong
};

/// Throws Error: no header to write to (before anything is timed), the machine fails.
SweepResult run_sweep(std::vector<Study> studies, Machine& machine, const SweepOptions& options);

/// What a person reads: a block of lines a study, with the row that won or what is proposed.
std::string text_of(const SweepResult& result);
/// docs/formats.md.
nlohmann::json json_of(const SweepResult& result);
/// The studies and their choices without times.
std::string list_of(const std::vector<Study>& studies);

}  // namespace cudacards::sweep
