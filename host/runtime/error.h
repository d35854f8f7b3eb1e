#pragma once
// Two kinds of failure, never mixed.
// Expected (bad path, bad file, wrong shape, no GPU, no space): throw Error; the command line prints its one line and
// exits with its code. Programming errors: CUDACARDS_CHECK aborts with expression, file and line.

#include <stdexcept>
#include <string>

namespace cudacards {

/// What went wrong, where, and what to do: one line, without the program's name and without a final full stop.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& line, int exit_code = 1) : std::runtime_error(line), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

/// The person asked for something that cannot be asked for (option, name, combination): exit code 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& line) : Error(line, 2) {}
};

[[noreturn]] void check_failed(const char* expression, const char* file, int line, const std::string& detail);

}  // namespace cudacards

#define CUDACARDS_CHECK(condition, ...)                                                                    \
  do {                                                                                                     \
    if (!(condition)) ::cudacards::check_failed(#condition, __FILE__, __LINE__, std::string(__VA_ARGS__)); \
  } while (false)
