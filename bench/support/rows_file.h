#pragma once
// The file of --benchmark_out, with each row in it as soon as it is measured: whatever ends the program, they are
// there.

#include <benchmark/benchmark.h>

#include <string_view>

namespace cudacards::bench {

class RowsFile {
 public:
  /// Before benchmark::Initialize, which takes its own options away.
  RowsFile(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) is_wanted_ |= std::string_view(argv[i]).starts_with("--benchmark_out=");
  }

  void run_benchmarks() {
    // With a reporter for a file that nobody has named the library ends the program.
    is_wanted_ ? benchmark::RunSpecifiedBenchmarks(nullptr, &reporter_) : benchmark::RunSpecifiedBenchmarks();
  }

 private:
  struct Flushed : benchmark::JSONReporter {
    void ReportRuns(const std::vector<Run>& runs) override {
      JSONReporter::ReportRuns(runs);
      GetOutputStream().flush();
    }
  };

  bool is_wanted_ = false;
  Flushed reporter_;
};

}  // namespace cudacards::bench
