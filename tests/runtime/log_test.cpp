// Notes and warnings reach whoever listens, whole, from any thread; standard error otherwise.

#include "host/runtime/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

namespace cudacards {
namespace {

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

}  // namespace
}  // namespace cudacards
