// A deck that is being drawn is stopped at once, and nothing of it stays; what a killed process left is removed by the
// next.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/cli/program.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using namespace testing_support;

class CliDrawing : public testing::Test {
 protected:
  Start start(std::vector<std::string> arguments) const {
    return {.arguments = std::move(arguments),
            .environment = {"OMP_WAIT_POLICY=passive"},
            .folder = folder_.path().string()};
  }

  std::vector<std::string> names_in(const fs::path& folder) const {
    std::vector<std::string> names;
    if (!fs::exists(folder)) return names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    return names;
  }

  /// The first picture is there, and thousands are to follow.
  Moment drawing_has_begun(const fs::path& beside) const {
    return [this, beside](const std::string&) {
      for (const std::string& name : names_in(beside)) {
        if (name.find(".partial-") != std::string::npos && fs::exists(beside / name / "train/ace of clubs/001.jpg"))
          return true;
      }
      return false;
    };
  }

  TemporaryFolder folder_;
  const std::vector<std::string> large_deck_ = {"data", "make", "deck", "--per-class", "100000"};
};

TEST_F(CliDrawing, OfDataMakeStopsAtOnceAndLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Outcome outcome = run_and_signal(start(large_deck_), drawing_has_begun(folder_.path()), signal);
    EXPECT_EQ(outcome.exit_code, 128 + signal);
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(lines_of(outcome.err), ElementsAre(StartsWith("cudacards: stopped while drawing cards: ")));
    EXPECT_THAT(names_in(folder_.path()), IsEmpty());
  }
}

TEST_F(CliDrawing, OfTrainStopsAtOnceAndLeavesNoRun) {
  const Outcome outcome =
      run_and_signal(start({"train", "--out", "run"}), drawing_has_begun(folder_.path() / "data"), SIGINT);
  EXPECT_EQ(outcome.exit_code, 128 + SIGINT);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("stopped while drawing cards: "));
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("data"));
  EXPECT_THAT(names_in(folder_.path() / "data"), IsEmpty());
}

TEST_F(CliDrawing, OfScenesWritesPicturesAndLabels) {
  const Outcome outcome = run_program(start({"data", "make", "scenes", "--scenes", "2"}));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "scenes\n");
  EXPECT_THAT(names_in(folder_.path() / "scenes"), testing::UnorderedElementsAre("0001.jpg", "0002.jpg", "labels.csv"));
}

TEST_F(CliDrawing, RemovesWhatAKilledProcessLeft) {
  run_and_signal(start(large_deck_), drawing_has_begun(folder_.path()), SIGKILL);
  EXPECT_THAT(names_in(folder_.path()), SizeIs(1));
  EXPECT_EQ(run_program(start({"data", "make", "deck", "--per-class", "1", "--size", "32"})).exit_code, 0);
  EXPECT_THAT(names_in(folder_.path()), ElementsAre("deck"));
}

}  // namespace
}  // namespace cudacards
