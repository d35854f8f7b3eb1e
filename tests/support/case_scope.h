#pragma once
// Every failure prints the line that runs it alone: "reproduce: CUDACARDS_CASE='17' build/tests/test_data
// --gtest_filter=JpegFuzz.Name". Tests that walk over cases name the one that runs.

#include <string>
#include <vector>

namespace cudacards::testing_support {

/// The case that runs until the end of the scope.
class CaseScope {
 public:
  explicit CaseScope(std::string name);
  explicit CaseScope(int number) : CaseScope(std::to_string(number)) {}
  ~CaseScope();
  CaseScope(const CaseScope&) = delete;
  CaseScope& operator=(const CaseScope&) = delete;

 private:
  std::string before_;
};

/// The environment variable CUDACARDS_CASE; empty where all cases run, and only then may a test judge them as a whole.
std::string wanted_case();
/// 0, ..., count - 1, or the one that is wanted. Each has to draw its random numbers from its own number.
std::vector<int> numbered_cases(int count);

/// Called once by main.cpp.
void print_reproducers();

}  // namespace cudacards::testing_support
