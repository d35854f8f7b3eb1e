// cudacards report RUN...: a run, or several beside one another, as a page.

#include <fmt/format.h>

#include <memory>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/runtime/threads.h"
#include "host/train/run_folder.h"
#include "host/train/run_report.h"

namespace cudacards::cli {
namespace {

struct ReportCommand {
  std::vector<std::string> runs;
  std::string out, device = "auto";
  int threads = 0;
};

int run(const ReportCommand& command) {
  set_threads(command.threads);
  RunReportOptions options{.device = choose_device(command.device)};
  if (command.runs.size() == 1 && command.out.empty()) {
    fmt::print("{}\n", write_run_report(command.runs.front(), options));
    return 0;
  }
  const bool compares = command.runs.size() > 1;
  options.measure = !compares;
  std::vector<RunReport> reports;
  for (const std::string& folder : command.runs) reports.push_back(collect_run_report(folder, options));
  const std::string out = command.out.empty() ? "comparison.html" : command.out;
  write_text_file(out, compares ? comparison_html(reports) : run_report_html(reports.front()));
  fmt::print("{}\n", out);
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto report = std::make_shared<ReportCommand>();
  CLI::App& command = *app.add_subcommand("report", "Make a run's page anew, or compare runs on one");
  command.add_option("RUN", report->runs, "Folders of runs")->required();
  command.add_option("--out", report->out, "The page")
      ->type_name("FILE")
      ->default_str("RUN/report.html, of several runs comparison.html");
  command
      .add_option("--device", report->device,
                  "auto, cpu, cuda, cuda:N or emulated (without times): tries the weights, measures a step")
      ->type_name("DEVICE")
      ->capture_default_str();
  add_threads(command, report->threads);
  command.footer(
      "Prints the page's path. It is one file that needs no network: open it in a browser, send it by mail.");
  command.callback([report, &action] { action = [report] { return run(*report); }; });
}

}  // namespace cudacards::cli
