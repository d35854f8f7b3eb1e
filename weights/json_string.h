#pragma once
// Strings of JSON (RFC 8259) as a file's header holds them: always valid UTF-8, one copy, no surprises.

#include <optional>
#include <string>
#include <string_view>

#include "host/runtime/utf8.h"

namespace cudacards {

/// What stands between the quotes of a JSON string, as UTF-8. Nothing for a control character, an unknown escape, half
/// a surrogate pair or text that is not UTF-8.
std::optional<std::string> unescape_json(std::string_view raw);

/// Appends `text`, which must be UTF-8, in quotes.
void append_json_string(std::string& json, std::string_view text);

/// `text` for an error message: in quotes, on one line, printable, and cut where it is long. (Not std::quoted,
/// which escapes quotes alone.)
std::string in_quotes(std::string_view text);

}  // namespace cudacards
