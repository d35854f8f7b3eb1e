// cudacards: the command line. Results go to standard output, everything else to standard error; exit code 0, 1 (it
// failed) or 2 (it was asked wrongly).

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "host/cli/commands.h"
#include "host/cli/usage.h"
#include "host/runtime/error.h"
#include "host/runtime/terminal.h"

namespace cudacards::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kAskedWrongly = 2;

int fail(const std::string& line, int exit_code) {
  std::fflush(stdout);
  print_line(coloured("cudacards: ", Colour::kRed) + line);
  return exit_code;
}

/// As a shell shows it. Commands that finish what they write go on when nobody reads their results any more
/// (stop_on_signals), and then end as quietly as the others.
constexpr int kReaderGone = 128 + SIGPIPE;

/// A full disk behind `> file` is a failure too.
int flush_results(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  if (errno == EPIPE) return kReaderGone;
  return fail(fmt::format("cannot write to standard output: {}", std::strerror(errno)), kFailed);
}

int run(int argc, char** argv) {
  CLI::App app("Trains and runs classifiers of playing cards, and of any folder of class folders.", "cudacards");
  Action action;
  app.formatter(help_formatter());
  app.set_help_flag("-h,--help", "Print this help and leave");
  app.set_version_flag("--version", "cudacards " CUDACARDS_VERSION, "Print the version and leave");
  app.require_subcommand(1);
  app.footer("Every command explains its options: cudacards train --help");
  add_train(app, action);
  add_eval(app, action);
  add_predict(app, action);
  add_find(app, action);
  add_runs(app, action);
  add_report(app, action);
  add_summary(app, action);
  add_profile(app, action);
  add_data(app, action);
  add_weights(app, action);
  add_export(app, action);
  add_doctor(app, action);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return flush_results(app.exit(wanted));
  } catch (const CLI::ParseError& error) {
    return fail(explain(app, error), kAskedWrongly);
  }
  return flush_results(action());
}

}  // namespace
}  // namespace cudacards::cli

int main(int argc, char** argv) {
  namespace cli = cudacards::cli;
  // Whatever the parent set: `cudacards predict ... | head` ends quietly.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    return cli::run(argc, argv);
  } catch (const cudacards::Error& error) {
    return cli::fail(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return cli::fail("out of memory; a smaller --batch needs less", cli::kFailed);
  } catch (const std::system_error& error) {  // fmt::print's among them
    return error.code().value() == EPIPE ? cli::kReaderGone : cli::fail(error.what(), cli::kFailed);
  } catch (const std::exception& error) {
    return cli::fail(error.what(), cli::kFailed);
  }
}
