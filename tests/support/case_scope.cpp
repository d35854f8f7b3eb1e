#include "tests/support/case_scope.h"

#include <gtest/gtest.h>

#include <cerrno>  // program_invocation_name
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <utility>

namespace cudacards::testing_support {
namespace {

std::mutex mutex;  // other threads than the test's fail too

std::string& running_case() {
  static std::string name;
  return name;
}

class Listener : public ::testing::EmptyTestEventListener {
  // Kept, because GoogleTest's own lock is held while a failure is reported.
  void OnTestStart(const ::testing::TestInfo& test) override {
    test_ = std::string(test.test_suite_name()) + '.' + test.name();
  }
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed() || test_.empty()) return;
    const std::lock_guard lock(mutex);
    const std::string variable = running_case().empty() ? "" : "CUDACARDS_CASE='" + running_case() + "' ";
    std::printf("reproduce: %s%s --gtest_filter='%s'\n", variable.c_str(), program_invocation_name, test_.c_str());
    std::fflush(stdout);
  }
  void OnTestEnd(const ::testing::TestInfo& /*test*/) override { test_.clear(); }

  std::string test_;
};

}  // namespace

CaseScope::CaseScope(std::string name) {
  const std::lock_guard lock(mutex);
  before_ = std::exchange(running_case(), std::move(name));
}

CaseScope::~CaseScope() {
  const std::lock_guard lock(mutex);
  running_case() = std::move(before_);
}

std::string wanted_case() {
  const char* wanted = std::getenv("CUDACARDS_CASE");
  return wanted == nullptr ? "" : wanted;
}

std::vector<int> numbered_cases(int count) {
  const std::string wanted = wanted_case();
  if (!wanted.empty()) return {std::atoi(wanted.c_str())};
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void print_reproducers() { ::testing::UnitTest::GetInstance()->listeners().Append(new Listener); }

}  // namespace cudacards::testing_support
