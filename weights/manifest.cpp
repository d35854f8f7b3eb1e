#include "weights/manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "host/runtime/sha256.h"
#include "weights/mapped_file.h"
#include "weights/resources.h"

namespace cudacards {
namespace {

constexpr std::array<std::string_view, 6> kKeys = {"description", "file", "url", "size", "sha256", "licence"};

bool is_digest(const std::string& text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// A download must not choose where it is stored.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

class EntryReader {
 public:
  EntryReader(const std::string& where, std::string name, const toml::table& table)
      : where_(where), name_(std::move(name)), table_(table) {}

  ManifestEntry read() const {
    for (const auto& [key, value] : table_) {
      if (std::find(kKeys.begin(), kKeys.end(), key.str()) == kKeys.end())
        refuse(fmt::format("has the unknown key \"{}\"", key.str()));
    }
    ManifestEntry entry{.name = name_,
                        .description = text("description"),
                        .file = text("file"),
                        .url = text("url"),
                        .sha256 = text("sha256"),
                        .licence = text("licence")};
    const auto size = table_["size"].value<std::int64_t>();
    if (!size || *size < 1) refuse("has no size, a number of bytes");
    entry.size = static_cast<std::uint64_t>(*size);
    if (!is_digest(entry.sha256)) refuse("has a sha256 that is not 64 lower-case hexadecimal digits");
    if (!is_plain_file_name(entry.file)) refuse("has a file that is no plain name");
    return entry;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(fmt::format("{}: the entry \"{}\" {}", where_, name_, why));
  }
  std::string text(std::string_view key) const {
    const auto value = table_[key].value<std::string>();
    if (!value || value->empty()) refuse(fmt::format("has no {}", key));
    return *value;
  }

  const std::string& where_;
  const std::string name_;
  const toml::table& table_;
};

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

std::vector<ManifestEntry> builtin_manifest() { return parse_manifest(resources::manifest(), "weights/MANIFEST"); }

std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& where) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(fmt::format("{}: not TOML in line {}: {}", where, error.source().begin.line, error.description()));
  }
  std::vector<ManifestEntry> entries;
  for (const auto& [name, value] : root) {
    if (!value.is_table()) throw Error(fmt::format("{}: \"{}\" is not an entry, [{}]", where, name.str(), name.str()));
    entries.push_back(EntryReader(where, std::string(name.str()), *value.as_table()).read());
  }
  return entries;
}

std::vector<ManifestEntry> read_manifest(const std::string& path) {
  return parse_manifest(text_of(MappedFile::open(path)), path);
}

const ManifestEntry& find_entry(const std::vector<ManifestEntry>& entries, const std::string& name) {
  std::vector<std::string> names;
  for (const ManifestEntry& entry : entries) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  throw UsageError(
      fmt::format("no weights named \"{}\"{}; known: {}", name, did_you_mean(name, names), fmt::join(names, ", ")));
}

void verify_download(const std::string& path, const ManifestEntry& entry) {
  const MappedFile file = MappedFile::open(path);
  const auto bytes = file.bytes();
  if (bytes.size() != entry.size)
    throw Error(fmt::format("{} has {} bytes, {} has {}", path, bytes.size(), entry.name, entry.size));
  const std::string digest = hex(sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
  if (digest != entry.sha256)
    throw Error(fmt::format("{} has the SHA-256 {}, {} has {}", path, digest, entry.name, entry.sha256));
}

}  // namespace cudacards
