#pragma once
// The answer of every supports(): yes, or no with the reason in words that a person reads in `summary --plan`.

#include <string>
#include <utility>

namespace cudacards {

class [[nodiscard]] Verdict {
 public:
  static Verdict yes() { return Verdict(true, {}); }
  static Verdict no(std::string reason) { return Verdict(false, std::move(reason)); }

  explicit operator bool() const { return yes_; }
  const std::string& reason() const { return reason_; }

 private:
  Verdict(bool yes, std::string reason) : yes_(yes), reason_(std::move(reason)) {}
  bool yes_;
  std::string reason_;
};

}  // namespace cudacards
