#include "weights/json_string.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace cudacards {
namespace {

constexpr std::size_t kQuotedLimit = 80;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

/// The four hex digits behind "\u".
std::optional<std::uint32_t> hex4(std::string_view raw, std::size_t at) {
  if (raw.size() < at + 4) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(raw.data() + at, raw.data() + at + 4, value, 16);
  if (error != std::errc{} || end != raw.data() + at + 4) return std::nullopt;
  return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80u | ((code >> shift) & 0x3fu)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0u | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0u | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0u | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// Decodes "\uXXXX", or a surrogate pair of them, whose first digit is at `at`; moves `at` behind it.
bool append_unicode_escape(std::string& out, std::string_view raw, std::size_t& at) {
  const auto high = hex4(raw, at);
  if (!high) return false;
  at += 4;
  if (*high < 0xd800 || *high > 0xdfff) {
    append_utf8(out, *high);
    return true;
  }
  if (*high > 0xdbff || raw.substr(at, 2) != "\\u") return false;
  const auto low = hex4(raw, at + 2);
  if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
  at += 6;
  append_utf8(out, 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00));
  return true;
}

char simple_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

}  // namespace

std::optional<std::string> unescape_json(std::string_view raw) {
  if (!is_utf8(raw)) return std::nullopt;
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size();) {
    const char c = raw[i++];
    if (is_control(c)) return std::nullopt;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (i == raw.size()) return std::nullopt;
    const char escape = raw[i++];
    if (escape == 'u') {
      if (!append_unicode_escape(out, raw, i)) return std::nullopt;
    } else if (const char meant = simple_escape(escape)) {
      out += meant;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        json += "\\\"";
        break;
      case '\\':
        json += "\\\\";
        break;
      case '\n':
        json += "\\n";
        break;
      case '\t':
        json += "\\t";
        break;
      default:
        if (is_control(c)) {
          json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          json += c;
        }
    }
  }
  json += '"';
}

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > kQuotedLimit;
  std::string_view shown = text.substr(0, kQuotedLimit);
  // Not in the middle of a character.
  while (cut && !shown.empty() && (static_cast<unsigned char>(text[shown.size()]) & 0xc0u) == 0x80u)
    shown.remove_suffix(1);
  std::string out;
  append_json_string(out, shown);
  if (cut) out += "...";
  return out;
}

}  // namespace cudacards
