#include "host/report/table.h"

#include <algorithm>

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {

std::string with_commas(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string counted(std::int64_t count, const std::string& noun) {
  return with_commas(count) + ' ' + noun + (count == 1 ? "" : "s");
}

void Table::add(std::vector<std::string> row) {
  CUDACARDS_CHECK(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].title.size();
    for (const auto& row : rows_) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) text += "  ";
      text += columns_[c].align == Align::kRight ? fmt::format("{:>{}}", cell(c), widths[c])
                                                 : fmt::format("{:<{}}", cell(c), widths[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  };
  std::size_t total = 2 * (columns_.size() - 1);
  for (const auto width : widths) total += width;
  const std::string rule = std::string(total, '-') + "\n";

  std::string text = line([&](std::size_t c) { return columns_[c].title; }) + rule;
  for (const auto& row : rows_) text += line([&](std::size_t c) { return row[c]; });
  return text + rule;
}

}  // namespace cudacards
