// `train --json` tells programs what happens, a line at a time; people read standard error as before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/data/deck/deck.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

using namespace testing_support;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class CliTrainEvents : public testing::Test {
 protected:
  CliTrainEvents() { make_deck(folder_ / "deck", {.per_class = 1, .size = 32}); }

  Start start(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"train", "deck", "--arch", "mlp", "--image-size", "16", "--batch", "32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return {.arguments = arguments, .environment = {"OMP_WAIT_POLICY=passive"}, .folder = folder_.path().string()};
  }

  const TemporaryFolder folder_;
};

std::vector<json> events_of(const Outcome& outcome) {
  std::vector<json> events;
  for (const std::string& line : lines_of(outcome.out)) events.push_back(json::parse(line));
  return events;
}

std::vector<std::string> names_of(const std::vector<json>& events) {
  std::vector<std::string> names;
  for (const json& event : events) names.push_back(event["event"]);
  return names;
}

TEST_F(CliTrainEvents, TellARunFromItsStartToItsEnd) {
  const Outcome outcome = run_program(start({"--epochs", "2", "--out", "run", "--json"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<json> events = events_of(outcome);
  std::vector<std::string> names = names_of(events);
  std::erase(names, "best");  // of one epoch or of both
  EXPECT_THAT(names, ElementsAre("started", "checkpoint", "checkpoint", "epoch", "checkpoint", "epoch", "finished"));

  const json& started = events.front();
  EXPECT_EQ(started["run"], "run");
  EXPECT_EQ(started["resumed"], false);
  EXPECT_EQ(started["epochs"], 2);
  EXPECT_EQ(started["steps_per_epoch"], 2);
  EXPECT_EQ(started["train_pictures"], 53);
  EXPECT_THAT(started["classes"], SizeIs(53));
  EXPECT_EQ(started["config"]["run"]["arch"], "mlp");
  EXPECT_EQ(started["config"]["training"]["batch"], 32);
  EXPECT_GT(started["time"], 1.7e9);

  const json& finished = events.back();
  EXPECT_EQ(finished["epochs"], 2);
  EXPECT_EQ(finished["report"], "run/report.html");
  const json& best = *std::find_if(events.rbegin(), events.rend(), [](const json& e) { return e["event"] == "best"; });
  EXPECT_EQ(best["file"], "run/best.safetensors");
  EXPECT_EQ(best["epoch"], finished["best_epoch"]);
  json last_epoch = events[events.size() - 2];
  EXPECT_EQ(last_epoch["epoch"], 2);
  for (const char* key : {"event", "time", "is_best"}) last_epoch.erase(key);
  EXPECT_EQ(last_epoch, json::parse(lines_of(read_bytes(folder_ / "run/metrics.jsonl")).back()));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("epoch   2/2"), Not(HasSubstr("\r")), Not(HasSubstr("\033"))));
}

TEST_F(CliTrainEvents, TellAStopAndAResumedRun) {
  const Outcome stopped =
      run_and_signal(start({"--epochs", "1000000", "--out", "run", "--json"}), says("epoch   1/"), SIGTERM);
  EXPECT_EQ(stopped.exit_code, 128 + SIGTERM);
  const std::vector<json> events = events_of(stopped);
  EXPECT_EQ(events.back()["event"], "stopped");
  EXPECT_EQ(events.back()["signal"], SIGTERM);
  EXPECT_EQ(events.back()["run"], "run");
  EXPECT_EQ(events[events.size() - 2]["event"], "checkpoint") << "saved before it is told";

  Start again = start({});
  again.arguments = {"train", "--resume", "run", "--json", "--quiet"};
  const Outcome resumed = run_and_signal(
      again, [&](const std::string&) { return true; }, SIGTERM, 3000);
  const std::vector<json> more = events_of(resumed);
  ASSERT_THAT(more, Not(IsEmpty())) << resumed.err;
  EXPECT_EQ(more.front()["event"], "started");
  EXPECT_EQ(more.front()["resumed"], true);
  EXPECT_EQ(more.front()["step"], events[events.size() - 2]["step"]);
}

TEST_F(CliTrainEvents, TellErrors) {
  const Outcome outcome = run_program(start({"--json", "--out", "deck"}));
  EXPECT_EQ(outcome.exit_code, 1);
  const std::vector<json> events = events_of(outcome);
  ASSERT_THAT(names_of(events), ElementsAre("error"));
  EXPECT_THAT(events[0]["message"].get<std::string>(), HasSubstr("deck: is there already"));
  EXPECT_EQ(events[0]["exit_code"], 1);
  EXPECT_THAT(outcome.err, HasSubstr("cudacards: deck: is there already")) << "people are told as well";
  EXPECT_EQ(events_of(run_program(start({"--json", "--epochs", "0"})))[0]["exit_code"], 2);
}

TEST_F(CliTrainEvents, TellWarnings) {
  // The page cannot take the place of a folder; the run is good all the same.
  const Outcome first = run_program(start({"--epochs", "1", "--out", "run", "--quiet"}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  fs::remove(folder_ / "run/report.html");
  fs::create_directories(folder_ / "run/report.html/in the way");
  const ExpectWarning warning("no report was written");
  Start again = start({});
  again.arguments = {"train", "--resume", "run", "--json", "--quiet"};
  const Outcome outcome = run_program(again);
  EXPECT_EQ(outcome.exit_code, 0);
  const std::vector<json> events = events_of(outcome);
  ASSERT_THAT(names_of(events), ElementsAre("started", "warning", "finished"));
  EXPECT_THAT(events[1]["message"].get<std::string>(), HasSubstr("no report was written"));
  EXPECT_EQ(events[2]["report"], nullptr);
  EXPECT_EQ(events[2]["best_epoch"], 1);
}

TEST_F(CliTrainEvents, RedrawOnATerminalAlone) {
  Start on_terminal = start({"--epochs", "1", "--out", "run"});
  on_terminal.terminal_columns = 60;
  on_terminal.environment = {"TERM=xterm", "NO_COLOR"};
  const Outcome outcome = run_program(on_terminal);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "run\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("\r\033[Kepoch 1/1  step "), HasSubstr(" \033[32m*\033[0m")));
  on_terminal.environment = {"TERM=xterm", "NO_COLOR=1"};
  on_terminal.arguments.back() = "other";
  EXPECT_THAT(run_program(on_terminal).err, AllOf(HasSubstr("\r\033[Kepoch 1/1"), Not(HasSubstr("\033[32m"))));
  on_terminal.arguments.back() = "quiet";
  on_terminal.arguments.emplace_back("--quiet");
  EXPECT_THAT(run_program(on_terminal).err, IsEmpty());
}

}  // namespace
}  // namespace cudacards
