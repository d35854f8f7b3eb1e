// Training from outside: stopped at any moment it can be continued, and the number of cores does not change a byte.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "host/data/deck/deck.h"
#include "tests/cli/program.h"
#include "tests/support/case_scope.h"
#include "tests/support/log_watch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensor_hash.h"

namespace cudacards {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;

class CliTraining : public testing::Test {
 protected:
  CliTraining() { make_deck(folder_ / "deck", {.per_class = 1, .size = 32}); }

  Start start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "train");
    return {.arguments = std::move(arguments),
            .environment = {"OMP_WAIT_POLICY=passive"},
            .folder = folder_.path().string()};
  }

  std::vector<std::string> new_run(const std::string& name) const {
    return {"deck", "--image-size", "16", "--batch", "8", "--threads", "2", "--out", name};
  }

  // QUALITY target 16. A run without end, stopped; the same run continued, and stopped again. A stop that comes while
  // the pictures are still being decoded leaves no run.
  void stop_at_random_moments(int trials) {
    for (const int trial : numbered_cases(trials)) {
      const CaseScope scope(trial);
      std::mt19937 random(static_cast<unsigned>(trial));
      const int signal = trial % 2 == 0 ? SIGINT : SIGTERM;
      const std::string name = "run-" + std::to_string(trial);
      auto arguments = new_run(name);
      arguments.insert(arguments.end(), {"--arch", "mlp", "--epochs", "1000000"});
      const Outcome first =
          run_and_signal(start(arguments), says("train: Found"), signal, static_cast<int>(random() % 150));
      ASSERT_EQ(first.exit_code, 128 + signal) << first.err;
      if (first.err.find("stopped while decoding pictures") != std::string::npos) {
        ASSERT_FALSE(std::filesystem::exists(folder_ / name));
        continue;
      }
      ASSERT_NE(first.err.find("continue with: cudacards train --resume " + name), std::string::npos) << first.err;
      const Outcome second =
          run_and_signal(start({"--resume", name}), says("resumed " + name), signal, static_cast<int>(random() % 50));
      ASSERT_EQ(second.exit_code, 128 + signal) << second.err;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(CliTraining, CanBeStoppedAtAnyMomentAndContinued) { stop_at_random_moments(10); }

using CliTrainingLong = CliTraining;
TEST_F(CliTrainingLong, CanBeStoppedAt200MomentsAndContinued) { stop_at_random_moments(200); }

TEST_F(CliTraining, GivesTheSameBytesOnOneCoreAndOnAll) {
  for (const int cores : {0, 1}) {
    auto arguments = new_run("cores-" + std::to_string(cores));
    arguments.insert(arguments.end(), {"--epochs", "2", "--arch", "cnn"});
    Start limited = start(arguments);
    limited.cores = cores;
    ASSERT_EQ(run_program(limited).exit_code, 0);
  }
  EXPECT_EQ(hash_of_tensors(folder_ / "cores-0/last.safetensors"),
            hash_of_tensors(folder_ / "cores-1/last.safetensors"));
}

TEST_F(CliTraining, WritesAReportOfTheRun) {
  auto arguments = new_run("run");
  arguments.insert(arguments.end(), {"--epochs", "2", "--arch", "cnn"});
  const Outcome trained = run_program(start(arguments));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("report: run/report.html"));
  const std::string page = read_bytes(folder_ / "run/report.html");
  EXPECT_THAT(page, HasSubstr("Test accuracy"));
  EXPECT_THAT(page, HasSubstr("conv2d"));           // a part of the step
  EXPECT_THAT(page, HasSubstr("data:image/jpeg"));  // training pictures
}

TEST_F(CliTraining, ReportsARunWhoseDataAreGone) {
  auto arguments = new_run("run");
  arguments.insert(arguments.end(), {"--epochs", "1", "--arch", "mlp"});
  ASSERT_EQ(run_program(start(arguments)).exit_code, 0);
  std::filesystem::remove_all(folder_ / "deck");
  std::filesystem::remove(folder_ / "run/report.html");
  Start again = start({});
  again.arguments = {"report", "run", "--device", "cpu"};
  const Outcome outcome = run_program(again);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "run/report.html\n");
  const std::string page = read_bytes(folder_ / "run/report.html");
  EXPECT_THAT(page, HasSubstr("Pictures and final figures are missing: can&#39;t read the folder deck"));
  EXPECT_THAT(page, HasSubstr("Learning rate"));
  EXPECT_THAT(page, Not(HasSubstr("Final figures")));
}

TEST_F(CliTraining, ComparesRuns) {
  for (const char* name : {"one", "two"}) {
    auto arguments = new_run(name);
    arguments.insert(arguments.end(), {"--epochs", "1", "--arch", "mlp", "--seed", name[0] == 'o' ? "1" : "2"});
    ASSERT_EQ(run_program(start(arguments)).exit_code, 0);
  }
  Start compare = start({});
  compare.arguments = {"report", "one", "two", "--out", "both.html", "--device", "cpu"};
  const Outcome outcome = run_program(compare);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "both.html\n");
  EXPECT_THAT(read_bytes(folder_ / "both.html"), HasSubstr("<td>seed</td><td>1</td><td>2</td>"));
}

TEST_F(CliTraining, ListsRunsWithTheirFigures) {
  for (const char* name : {"all/b", "all/a"}) {
    auto arguments = new_run(name);
    arguments.insert(arguments.end(), {"--epochs", "1", "--arch", "mlp", "--seed", name[4] == 'a' ? "7" : "8"});
    ASSERT_EQ(run_program(start(arguments)).exit_code, 0);
  }
  std::filesystem::create_directories(folder_ / "all/no run");
  std::filesystem::create_directories(folder_ / "all/broken");
  write_bytes(folder_ / "all/broken/last.safetensors", "no checkpoint");
  const ExpectWarning broken("all/broken/last.safetensors");
  Start list = start({});
  list.arguments = {"runs", "all"};
  const Outcome table = run_program(list);
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out,
              testing::ContainsRegex("all/a +mlp +best +7 +1 of 1 +0\\.[0-9]{4} .*\n.*all/b +mlp +best +8 "));
  EXPECT_THAT(table.out, Not(HasSubstr("no run")));
  list.arguments = {"runs", "all", "--json"};
  const Outcome json = run_program(list);
  EXPECT_EQ(lines_of(json.out).size(), 2u);
  EXPECT_THAT(json.out,
              HasSubstr("\"arch\":\"mlp\",\"preset\":\"best\",\"data\":\"deck\",\"seed\":7,\"epoch\":1,\"epochs\":1,"));
}

TEST_F(CliTraining, RefusesAFolderThatIsNoRun) {
  Start report = start({});
  report.arguments = {"report", "deck", "--device", "cpu"};
  const Outcome outcome = run_program(report);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("deck/last.safetensors"));
}

}  // namespace
}  // namespace cudacards
