// A line that is redrawn stays one line whatever happens to the terminal; files get whole lines without escape codes.

#include "host/runtime/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "host/runtime/log.h"
#include "tests/support/pseudo_terminal.h"

namespace cudacards {
namespace {

using testing::IsEmpty;
using testing_support::PseudoTerminal;

class Terminal : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    sink_ = set_log_sink({});
  }
  void TearDown() override { set_log_sink(sink_); }

  /// What `action` writes to standard error, which is a terminal meanwhile.
  static std::string on_terminal(int columns, const std::function<void(const PseudoTerminal&)>& action) {
    PseudoTerminal terminal(columns);
    std::fflush(stderr);
    const int before = dup(STDERR_FILENO);
    dup2(terminal.descriptor(), STDERR_FILENO);
    action(terminal);
    std::fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    return terminal.finish();
  }

  LogSink sink_;
};

TEST_F(Terminal, RedrawsOneLine) {
  EXPECT_EQ(on_terminal(80,
                        [](const auto&) {
                          draw_status("1 of 2");
                          draw_status("2 of 2");
                          clear_status();
                          clear_status();  // there is none any more
                        }),
            "\r\033[K1 of 2\r\033[K2 of 2\r\033[K");
}

TEST_F(Terminal, PutsWholeLinesWhereTheStatusWas) {
  EXPECT_EQ(on_terminal(80,
                        [](const auto&) {
                          draw_status("working");
                          log_note("a note");
                          print_line("a line");
                        }),
            "\r\033[Kworking\r\033[Ka note\na line\n");
}

TEST_F(Terminal, CutsToTheWidthOfTheMoment) {
  EXPECT_EQ(on_terminal(10,
                        [](const PseudoTerminal& terminal) {
                          draw_status("123456789012345");
                          terminal.resize(20);
                          draw_status("123456789012345");
                          clear_status();
                        }),
            "\r\033[K123456789\r\033[K123456789012345\r\033[K");
}

TEST_F(Terminal, TakesAwayTheRowsOfALineThatANarrowerTerminalBroke) {
  EXPECT_EQ(on_terminal(20,
                        [](const PseudoTerminal& terminal) {
                          draw_status("123456789012345");  // 15 characters: three rows of 6
                          terminal.resize(6);
                          draw_status("abc");
                          clear_status();
                        }),
            "\r\033[K123456789012345\r\033[2A\033[Jabc\r\033[K");
}

TEST_F(Terminal, HasColoursUnlessItIsToldOtherwise) {
  const auto green = [](const auto&) { print_line(coloured("x", Colour::kGreen)); };
  const std::string with = "\033[32mx\033[0m\n", without = "x\n";
  EXPECT_EQ(on_terminal(80, green), with);
  setenv("NO_COLOR", "", 1);
  EXPECT_EQ(on_terminal(80, green), with) << "an empty NO_COLOR says nothing (no-color.org)";
  setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(on_terminal(80, green), without);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_EQ(on_terminal(80, green), without);
  EXPECT_THAT(on_terminal(80, [](const auto&) { draw_status("working"); }), IsEmpty());
}

TEST_F(Terminal, WarnsInYellow) {
  EXPECT_EQ(on_terminal(80, [](const auto&) { log_warning("look"); }), "\033[33mcudacards: warning: \033[0mlook\n");
}

TEST_F(Terminal, IsNoFile) {
  testing::internal::CaptureStderr();
  draw_status("working");
  print_line(coloured("a line", Colour::kRed));
  clear_status();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "a line\n");
}

}  // namespace
}  // namespace cudacards
