#pragma once
// A check of option values that CLI11 does not have.

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <string>

namespace cudacards::cli {

/// For check(): a number from 0 to 1. CLI::Range would let NaN pass.
inline CLI::Validator from_zero_to_one() {
  const auto check = [](std::string& text) -> std::string {
    double value = 0;
    const bool is_share = CLI::detail::lexical_cast(text, value) && value >= 0 && value <= 1;
    return is_share ? "" : fmt::format("Value {} not in range [0 - 1]", text);
  };
  return {check, ""};
}

}  // namespace cudacards::cli
