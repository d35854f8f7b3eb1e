#pragma once
// What the code under test logs. Every test program listens (main.cpp): a warning that no test expects is a failure of
// the test in which it comes, and notes are kept instead of shown.

#include <string>
#include <vector>

namespace cudacards::testing_support {

/// Expects one warning or more that contain `part`, from any thread, until the end of its scope.
class ExpectWarning {
 public:
  explicit ExpectWarning(std::string part);
  ~ExpectWarning();
  ExpectWarning(const ExpectWarning&) = delete;
  ExpectWarning& operator=(const ExpectWarning&) = delete;
};

/// The notes since the running test began.
std::vector<std::string> logged_notes();

/// Called once by main.cpp.
void watch_the_log();

}  // namespace cudacards::testing_support
