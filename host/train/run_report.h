#pragma once
// From a run's folder to its page: reads what the run wrote, tries its best weights on its data once more, and takes a
// step apart.

#include <string>

#include "host/report/run_report.h"
#include "host/runtime/device_choice.h"

namespace cudacards {

struct RunReportOptions {
  DeviceChoice device;  // on which the weights are tried and the step is measured
  bool measure = true;  // false: without "where a step's time goes"
};

/// Where data or weights are gone, the page does without and says so. Throws Error for a folder that is no run.
RunReport collect_run_report(const std::string& run, const RunReportOptions& options);

/// collect_run_report() into <run>/report.html; returns that path.
std::string write_run_report(const std::string& run, const RunReportOptions& options);

}  // namespace cudacards
