// sweep_kernels: times the candidates of every tuning table on the GPU at hand and writes its rows.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "bench/sweep/sweep.h"
#include "host/runtime/error.h"

namespace cudacards::sweep {
namespace {

struct CommandLine {
  std::vector<std::string> tables;
  std::vector<int> batches = {1, 32, 256};
  bool list = false, write = false;
  std::string source = ".", json;
};

void add_options(CLI::App& app, CommandLine& line) {
  app.description(
      "Times the candidates of every tuning table (kernels/*/tuning.h) on the first GPU, for the problems of the "
      "registered models, and holds each candidate's results against those of the row in force. A candidate that "
      "disagrees is refused by name, and the exit code is 1.");
  app.add_option("--table", line.tables, "Only these tables (kMatmulTuning ...); all where none is named")
      ->type_name("NAME");
  app.add_option("--batch", line.batches, "Batches of the models' problems")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  app.add_flag("--list", line.list, "Print tables, experiments and candidates, and time nothing; needs no GPU");
  app.add_flag("--write", line.write, "Write the winning rows of this GPU's architecture into the headers");
  app.add_option("--source", line.source, "The repository's root, for --write")->capture_default_str();
  app.add_option("--json", line.json, "Also write all times and choices to this file")->type_name("FILE");
}

std::vector<Study> wanted_studies(const CommandLine& line, const Facts& facts) {
  std::vector<Study> all = studies_of(problems_of_models(line.batches), facts);
  if (line.tables.empty()) return all;
  std::vector<Study> wanted;
  for (const std::string& table : line.tables) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Study& study) { return study.table == table; });
    if (found == all.end()) {
      std::string names;
      for (const Study& study : studies_of({}, facts)) names += " " + study.table;
      throw UsageError(fmt::format("no table \"{}\" to sweep; there are:{}", table, names));
    }
    wanted.push_back(std::move(*found));
    all.erase(found);
  }
  return wanted;
}

int list(const CommandLine& line) {
  const Facts kLikeAnH200 = {.arch = {9, 0}, .multiprocessors = 132};
  std::fputs(list_of(wanted_studies(line, kLikeAnH200)).c_str(), stdout);
  return 0;
}

int sweep(const CommandLine& line) {
  const std::unique_ptr<Machine> machine = cuda_machine();
  const Facts facts = {.arch = machine->arch(), .multiprocessors = machine->multiprocessors()};
  const SweepResult result =
      run_sweep(wanted_studies(line, facts), *machine,
                {.source = line.source,
                 .write = line.write ? Write::kYes : Write::kNo,
                 .date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::chrono::system_clock::now())),
                 .say = [](const std::string& message) { std::fprintf(stderr, "%s\n", message.c_str()); }});
  std::fputs(text_of(result).c_str(), stdout);
  if (!line.json.empty()) {
    std::ofstream file(line.json);
    file << json_of(result).dump(2) << '\n';
    file.close();
    if (!file) throw Error(fmt::format("{}: cannot be written", line.json));
  }
  return result.refusals == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cudacards::sweep

int main(int argc, char** argv) {
  using namespace cudacards;
  CLI::App app("sweep_kernels");
  sweep::CommandLine line;
  sweep::add_options(app, line);
  try {
    app.parse(argc, argv);
    return line.list ? sweep::list(line) : sweep::sweep(line);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    std::fprintf(stderr, "sweep_kernels: %s\n", error.what());
    return error.exit_code();
  }
}
