#pragma once
// What a kernel launcher returns. Launchers never print and never throw: the caller decides what a failure means.

#include <string>
#include <utility>

namespace cudacards {

class [[nodiscard]] Status {
 public:
  static Status ok() { return Status({}); }
  static Status failed(std::string reason) { return Status(std::move(reason)); }

  bool is_ok() const { return reason_.empty(); }
  explicit operator bool() const { return is_ok(); }
  const std::string& reason() const { return reason_; }

 private:
  explicit Status(std::string reason) : reason_(std::move(reason)) {}
  std::string reason_;
};

}  // namespace cudacards
