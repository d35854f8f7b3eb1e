#pragma once
// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629).

#include <cstddef>
#include <string_view>

namespace cudacards {

/// Bytes of the UTF-8 sequence that the text begins with; 0 where it is none.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace cudacards
