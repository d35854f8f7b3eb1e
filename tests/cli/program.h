#pragma once
// The program as a person starts it: arguments, standard input, environment in; exit code and both outputs out.

#include <functional>
#include <string>
#include <vector>

namespace cudacards::testing_support {

struct Start {
  std::vector<std::string> arguments;
  std::string standard_input = {};
  std::vector<std::string> environment = {};  // "NAME=value" to set, "NAME" to remove
  std::string folder = {};                    // to start in; empty: here
  std::string output_file = {};               // for standard output, instead of catching it
  int cores = 0;                              // that it may use; 0: all
  int terminal_columns = 0;                   // of a terminal that standard error is (run_program); 0: it is a file
};

/// The program's warnings are logged here too: a test has to expect them (tests/support/log_watch.h).
struct Outcome {
  int exit_code = -1;  // 128 + signal where a signal ended it
  std::string out, err;
};

Outcome run_program(const Start& start);
inline Outcome run_program(const std::vector<std::string>& arguments) {
  return run_program(Start{.arguments = arguments});
}

/// Whether the moment has come, judged by what the program has written to standard error so far, or by its files.
using Moment = std::function<bool(const std::string& err)>;
Moment says(const std::string& words);

/// Starts the program, sends `signal` so many milliseconds after the moment `when`, and waits for its end.
Outcome run_and_signal(const Start& start, const Moment& when, int signal, int delay_ms = 0);

std::vector<std::string> lines_of(const std::string& text);
/// Code points of the longest line.
std::size_t columns_of(const std::string& text);

}  // namespace cudacards::testing_support
