#pragma once
// Lists of names in messages.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

namespace cudacards {

/// The first names, and how many more there are: "a, b and 3 more".
inline std::string listed(const std::vector<std::string>& names, std::size_t most = 8) {
  const std::size_t shown = std::min(names.size(), most);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace cudacards
