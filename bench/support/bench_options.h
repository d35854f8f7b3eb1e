#pragma once
// The options that the benchmark programs share.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/runtime/error.h"
#include "models/registry.h"

namespace cudacards::bench {

struct BenchOptions {
  std::string device = "cpu";
  std::vector<std::string> models, precisions = {"bf16", "fp32"};
  std::vector<int> batches = {256, 32, 1};
  int image_size = 224, threads = 0;
  double seconds = 0;
};

inline void add_bench_options(CLI::App& app, BenchOptions& options) {
  app.footer("Options that begin with --benchmark_ are Google Benchmark's: --benchmark_filter, --benchmark_out, ...");
  for (const auto& model : models()) options.models.emplace_back(model.name);
  app.add_option("--device", options.device, "cpu, cuda, cuda:N or emulated")->capture_default_str();
  app.add_option("--models", options.models, "models, separated by commas; one of another width as mobilenetv2-0.35")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--batches", options.batches, "batch sizes, in the order to be timed")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--precisions", options.precisions, "fp32, tf32 (on a GPU), bf16")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--image-size", options.image_size, "height and width of the pictures")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads; 0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "begin nothing after this time; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

/// The exit code where the program is to leave: 0 after --help, 2 where it was asked wrongly.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
}

/// Google Benchmark would answer --help by itself, and its own options only.
inline bool asks_for_help(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](std::string_view word) { return word == "--help" || word == "-h"; });
}

class Deadline {
 public:
  /// 0: none.
  explicit Deadline(double seconds) : seconds_(seconds), begin_(std::chrono::steady_clock::now()) {}
  bool is_over() const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
    return seconds_ > 0 && elapsed.count() > seconds_;
  }

 private:
  const double seconds_;
  const std::chrono::steady_clock::time_point begin_;
};

/// A program's main: what goes wrong is one line on standard error.
inline int guarded(const char* program, int argc, char** argv, int (*run)(int, char**)) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return error.exit_code();
  }
}

}  // namespace cudacards::bench
