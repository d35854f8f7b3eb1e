#include "tests/cli/program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string_view>

#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "tests/support/pseudo_terminal.h"
#include "tests/support/temporary_folder.h"

namespace cudacards::testing_support {
namespace {

// Files instead of pipes: nobody has to empty them while the program runs.
struct Streams {
  explicit Streams(const Start& start) {
    write_bytes(folder / "in", start.standard_input);
    out = start.output_file.empty() ? folder / "out" : start.output_file;
  }
  std::string out_text(const Start& start) const { return start.output_file.empty() ? read_bytes(out) : ""; }
  std::string err_text() const { return read_bytes(folder / "err"); }

  TemporaryFolder folder;
  std::string out;
};

void redirect(const std::string& path, int flags, int descriptor) {
  const int file = open(path.c_str(), flags, 0600);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
  close(file);
}

void change_environment(const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const std::size_t equals = change.find('=');
    if (equals == std::string::npos) {
      unsetenv(change.c_str());
    } else {
      setenv(change.substr(0, equals).c_str(), change.substr(equals + 1).c_str(), 1);
    }
  }
}

void limit_cores(int cores) {
  if (cores == 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core = 0; core < cores; ++core) CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) _exit(126);
}

/// `terminal` is standard error's descriptor, -1 where it is a file.
pid_t start_program(const Start& start, const Streams& streams, int terminal = -1) {
  std::vector<char*> arguments = {const_cast<char*>("cudacards")};
  for (const std::string& argument : start.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  write_bytes(streams.folder / "err", "");
  const pid_t child = fork();
  if (child != 0) return child;
  redirect(streams.folder / "in", O_RDONLY, STDIN_FILENO);
  redirect(streams.out, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
  if (terminal < 0) {
    redirect(streams.folder / "err", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, STDERR_FILENO);
  } else if (dup2(terminal, STDERR_FILENO) < 0 || close(terminal) != 0) {
    _exit(126);
  }
  change_environment(start.environment);
  limit_cores(start.cores);
  if (!start.folder.empty() && chdir(start.folder.c_str()) != 0) _exit(126);
  execv(CUDACARDS_PROGRAM, arguments.data());
  _exit(127);
}

/// What the program warns of counts as this test's (log_watch.h).
Outcome outcome_of(int exit_code, const Start& start, const Streams& streams) {
  Outcome outcome{exit_code, streams.out_text(start), streams.err_text()};
  constexpr std::string_view kMark = "cudacards: warning: ";
  for (const std::string& line : lines_of(outcome.err)) {
    if (line.starts_with(kMark)) log_warning(line.substr(kMark.size()));
  }
  return outcome;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int wait_for(pid_t child) {
  int status = 0;
  CUDACARDS_CHECK(waitpid(child, &status, 0) == child);
  return exit_code_of(status);
}

}  // namespace

Outcome run_program(const Start& start) {
  const Streams streams(start);
  std::optional<PseudoTerminal> terminal;
  if (start.terminal_columns > 0) terminal.emplace(start.terminal_columns);
  const pid_t child = start_program(start, streams, terminal ? terminal->descriptor() : -1);
  CUDACARDS_CHECK(child > 0);
  const int exit_code = wait_for(child);
  if (terminal) write_bytes(streams.folder / "err", terminal->finish());
  return outcome_of(exit_code, start, streams);
}

Moment says(const std::string& words) {
  return [words](const std::string& err) { return err.find(words) != std::string::npos; };
}

Outcome run_and_signal(const Start& start, const Moment& when, int signal, int delay_ms) {
  const Streams streams(start);
  const pid_t child = start_program(start, streams);
  CUDACARDS_CHECK(child > 0);
  int status = 0;
  int milliseconds_seen = -1;  // since `when`
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (milliseconds_seen >= 0 || when(streams.err_text())) ++milliseconds_seen;
    if (milliseconds_seen == delay_ms) kill(child, signal);
    usleep(1000);
  }
  return outcome_of(exit_code_of(status), start, streams);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::size_t columns_of(const std::string& text) {
  std::size_t longest = 0;
  for (const std::string& line : lines_of(text)) {
    const auto starts_code_point = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    longest = std::max(longest, static_cast<std::size_t>(std::count_if(line.begin(), line.end(), starts_code_point)));
  }
  return longest;
}

}  // namespace cudacards::testing_support
