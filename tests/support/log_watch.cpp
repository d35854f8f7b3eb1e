#include "tests/support/log_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "host/runtime/log.h"

namespace cudacards::testing_support {
namespace {

struct Expected {
  std::string part;
  int seen = 0;
};

struct Watch {
  std::mutex mutex;
  std::vector<Expected> expected;  // innermost scope last
  std::vector<std::string> notes;
};

Watch& watch() {
  static Watch one;
  return one;
}

void take(LogLevel level, const std::string& line) {
  {
    const std::lock_guard lock(watch().mutex);
    if (level == LogLevel::kNote) return watch().notes.push_back(line);
    auto& expected = watch().expected;
    const auto match = std::find_if(expected.rbegin(), expected.rend(),
                                    [&](const Expected& e) { return line.find(e.part) != std::string::npos; });
    if (match != expected.rend()) {
      ++match->seen;
      return;
    }
  }
  ADD_FAILURE() << "a warning that the test does not expect (ExpectWarning): " << line;
}

class Listener : public testing::EmptyTestEventListener {
  void OnTestProgramStart(const testing::UnitTest& /*all*/) override { set_log_sink(take); }
  void OnTestStart(const testing::TestInfo& /*test*/) override {
    const std::lock_guard lock(watch().mutex);
    watch().notes.clear();
  }
};

}  // namespace

ExpectWarning::ExpectWarning(std::string part) {
  const std::lock_guard lock(watch().mutex);
  watch().expected.push_back({std::move(part)});
}

ExpectWarning::~ExpectWarning() {
  Expected last;
  {
    const std::lock_guard lock(watch().mutex);
    last = std::move(watch().expected.back());
    watch().expected.pop_back();
  }
  EXPECT_GT(last.seen, 0) << "no warning contained: " << last.part;
}

std::vector<std::string> logged_notes() {
  const std::lock_guard lock(watch().mutex);
  return watch().notes;
}

void watch_the_log() { testing::UnitTest::GetInstance()->listeners().Append(new Listener); }

}  // namespace cudacards::testing_support
