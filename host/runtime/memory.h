#pragma once
// How much memory a program may still take.

#include <cstddef>
#include <optional>
#include <string>

namespace cudacards {

/// The least of what the system calls available and what the limits of this process's control groups leave (version 1
/// or 2; a container's limit is one). Pages of the file cache count as free. Nothing where the system does not say.
/// `root` is where /proc and /sys are.
std::optional<std::size_t> free_memory(const std::string& root = "/");

/// "1713.2 MiB".
std::string mebibytes(std::size_t bytes);

}  // namespace cudacards
