#pragma once
// Columns of text with a header, for the terminal.

#include <cstdint>
#include <string>
#include <vector>

namespace cudacards {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

/// "12,945,269".
std::string with_commas(std::int64_t value);

/// "1 picture", "7,624 pictures".
std::string counted(std::int64_t count, const std::string& noun);

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> row);
  /// Title, rule, rows, rule; each line ends with a newline.
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cudacards
