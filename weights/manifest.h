#pragma once
// The list of weights that can be downloaded, and whether a file is what the list says.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cudacards {

struct ManifestEntry {
  std::string name, description, file, url, sha256, licence;
  std::uint64_t size = 0;
};

/// The list that the program was built with (weights/MANIFEST).
std::vector<ManifestEntry> builtin_manifest();
/// A list of the same form. Throws Error naming entry and key for whatever is missing, unknown or malformed.
std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& where);
std::vector<ManifestEntry> read_manifest(const std::string& path);

/// Throws UsageError that guesses and lists the names.
const ManifestEntry& find_entry(const std::vector<ManifestEntry>& entries, const std::string& name);

/// Throws Error unless the file has the entry's size and SHA-256.
void verify_download(const std::string& path, const ManifestEntry& entry);

}  // namespace cudacards
