#include "bench/sweep/header.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "host/runtime/error.h"

namespace cudacards::sweep {
namespace {

constexpr std::size_t kColumns = 120;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

/// A string literal, broken between words into several that stand below each other.
std::string literal(std::string_view first_line, std::string_view text, std::string_view end) {
  const std::string indent(first_line.size(), ' ');
  std::string result, line(first_line);
  line += '"';
  std::string rest = escaped(text);
  while (line.size() + rest.size() + 1 + end.size() > kColumns) {
    const std::size_t room = kColumns - line.size() - 1;
    std::size_t space = rest.rfind(' ', room - 1);
    if (space == std::string::npos) space = rest.find(' ');
    if (space == std::string::npos) break;
    result += line + rest.substr(0, space + 1) + "\"\n";
    rest = rest.substr(space + 1);
    line = indent + '"';
  }
  return result + line + rest + '"' + std::string(end);
}

/// Of a line that begins a row.
std::optional<Arch> arch_of(std::string_view line) {
  constexpr std::string_view kBegin = "    {.arch = {";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  Arch arch;
  const auto major = std::from_chars(line.data(), line.data() + line.size(), arch.major);
  if (major.ec != std::errc() || !std::string_view(major.ptr).starts_with(", ")) return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 2, line.data() + line.size(), arch.minor);
  if (minor.ec != std::errc()) return std::nullopt;
  return arch;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end == std::string::npos ? end : end + 1 - at));
    at += lines.back().size();
  }
  return lines;
}

}  // namespace

std::string row_text(Arch arch, std::string_view numbers, std::string_view evidence) {
  return fmt::format("    {{.arch = {{{}, {}}}, {},\n", arch.major, arch.minor, numbers) +
         literal("     .evidence = ", evidence, "},\n");
}

std::string with_row(const std::string& header, std::string_view table, Arch arch, std::string_view row) {
  const std::string opening = fmt::format(" {}[] = {{\n", table);
  std::string result;
  enum class Where { kBefore, kInside, kBehind } where = Where::kBefore;
  bool is_placed = false, is_replaced_row = false;
  for (const std::string& line : lines_of(header)) {
    if (where == Where::kBefore) {
      result += line;
      if (line.ends_with(opening)) where = Where::kInside;
      continue;
    }
    if (where == Where::kInside) {
      const bool is_end = line.starts_with("};");
      if (const auto of = arch_of(line); of || is_end) {
        is_replaced_row = of && *of == arch;
        if (!is_placed && (is_end || *of >= arch)) {
          result += row;
          is_placed = true;
        }
      }
      if (is_end) where = Where::kBehind;
      if (is_replaced_row && !is_end) continue;
    }
    result += line;
  }
  if (where != Where::kBehind) throw Error(fmt::format("no table {} with rows of architectures", table));
  return result;
}

}  // namespace cudacards::sweep
