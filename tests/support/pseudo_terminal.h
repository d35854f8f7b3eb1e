#pragma once
// A terminal without a screen: what is written to it is kept, escape codes and all.

#include <string>
#include <thread>

namespace cudacards::testing_support {

class PseudoTerminal {
 public:
  explicit PseudoTerminal(int columns);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  int descriptor() const { return slave_; }  // to write to
  void resize(int columns) const;
  /// Everything that was written, once every copy of the descriptor is closed; this one is closed here.
  std::string finish();

 private:
  int master_ = -1, slave_ = -1;
  std::string text_;
  std::thread reader_;
};

}  // namespace cudacards::testing_support
