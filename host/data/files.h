#pragma once
// Files as bytes, and their names as text that is safe to print.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/runtime/sha256.h"

namespace cudacards {

/// A whole regular file of at most 256 MiB. Throws Error with the reason alone ("empty file"): the caller knows the
/// path.
std::vector<std::uint8_t> read_file(const std::string& path);

/// The name as it can go to a terminal, a log or JSON: control characters and bytes that are not UTF-8 as \xNN.
std::string printable(std::string_view name);

/// printable(), without the folder `root` where the path is in it: what the reader has been told once.
std::string printable_below(std::string_view path, std::string_view root);

}  // namespace cudacards
