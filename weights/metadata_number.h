#pragma once
// A number among a file's metadata, which are text.

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string>

#include "host/runtime/error.h"
#include "weights/json_string.h"

namespace cudacards {

/// Throws Error naming the file and the entry where it is missing or not a number as a whole.
template <class Number>
Number metadata_number(const std::map<std::string, std::string>& metadata, const std::string& key,
                       const std::string& path) {
  const auto entry = metadata.find(key);
  const std::string text = entry == metadata.end() ? "" : entry->second;
  Number value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size())
    throw Error(fmt::format("{}: the metadata {} = {} is not a number", path, key, in_quotes(text)));
  return value;
}

}  // namespace cudacards
