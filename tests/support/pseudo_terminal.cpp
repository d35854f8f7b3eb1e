#include "tests/support/pseudo_terminal.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "host/runtime/error.h"

namespace cudacards::testing_support {

PseudoTerminal::PseudoTerminal(int columns) {
  CUDACARDS_CHECK(openpty(&master_, &slave_, nullptr, nullptr, nullptr) == 0);
  termios mode{};
  CUDACARDS_CHECK(tcgetattr(slave_, &mode) == 0);
  cfmakeraw(&mode);  // a line's end stays one character
  CUDACARDS_CHECK(tcsetattr(slave_, TCSANOW, &mode) == 0);
  resize(columns);
  reader_ = std::thread([this] {
    char buffer[4096];
    for (ssize_t n = 0; (n = read(master_, buffer, sizeof buffer)) > 0;)
      text_.append(buffer, static_cast<std::size_t>(n));
  });
}

PseudoTerminal::~PseudoTerminal() {
  finish();
  close(master_);
}

void PseudoTerminal::resize(int columns) const {
  const winsize size{.ws_row = 25, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  CUDACARDS_CHECK(ioctl(slave_, TIOCSWINSZ, &size) == 0);
}

std::string PseudoTerminal::finish() {
  if (slave_ >= 0) close(slave_);
  slave_ = -1;
  if (reader_.joinable()) reader_.join();
  return text_;
}

}  // namespace cudacards::testing_support
