#pragma once
// Downloads, and only these use the network. Built with libcurl where it is installed.

#include <cstdint>
#include <functional>
#include <string>

#include "weights/manifest.h"

namespace cudacards {

bool built_with_fetch();

/// Bytes that are there, bytes in all.
using FetchProgress = std::function<void(std::uint64_t have, std::uint64_t all)>;

/// Downloads to `<folder>/<entry.file>.part`, going on where an earlier attempt stopped; verifies size and SHA-256;
/// then renames. Returns the file's path. A file that is there already and right is left alone, and a wrong one is an
/// Error. What fails verification is removed. Throws Error.
std::string fetch_weights(const ManifestEntry& entry, const std::string& folder, const FetchProgress& progress);

}  // namespace cudacards
