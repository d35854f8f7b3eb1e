// Notes and warnings reach whoever listens, whole, from any thread; standard error otherwise.

#include "host/runtime/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

#include "tests/support/log_watch.h"

namespace cudacards {
namespace {

using testing_support::ExpectWarning;

using Line = std::pair<LogLevel, std::string>;

class Log : public testing::Test {
 protected:
  void SetUp() override {
    previous_ = set_log_sink([this](LogLevel level, const std::string& line) { lines_.emplace_back(level, line); });
  }
  void TearDown() override { set_log_sink(previous_); }

  std::vector<Line> lines_;
  LogSink previous_;
};

TEST_F(Log, KeepsLevelAndOrder) {
  log_note("a");
  log_warning("b");
  EXPECT_THAT(lines_, testing::ElementsAre(Line(LogLevel::kNote, "a"), Line(LogLevel::kWarning, "b")));
}

TEST_F(Log, LosesNoLineOfAnyThread) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) log_note("line");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_.size(), 400u);
}

TEST_F(Log, GoesToStandardErrorWithoutASink) {
  set_log_sink({});
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  log_note("a note");
  log_warning("a warning");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "a note\ncudacards: warning: a warning\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

// The tests' own listener: QUALITY rule 7.
TEST(LogWatch, FailsATestThatDoesNotExpectAWarning) {
  EXPECT_NONFATAL_FAILURE(log_warning("the sky is green"), "the sky is green");
  const ExpectWarning other("the sky is red");
  log_warning("they say that the sky is red today");
  EXPECT_NONFATAL_FAILURE(log_warning("the sky is green"), "the sky is green");
}

TEST(LogWatch, FailsATestThatWaitsForAWarningInVain) {
  EXPECT_NONFATAL_FAILURE(ExpectWarning("the sky"), "no warning contained: the sky");
}

TEST(LogWatch, KeepsNotes) {
  log_note("a note");
  EXPECT_THAT(testing_support::logged_notes(), testing::ElementsAre("a note"));
}

}  // namespace
}  // namespace cudacards
