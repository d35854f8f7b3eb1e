#include "host/runtime/memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace cudacards {
namespace {

namespace fs = std::filesystem;

/// The number behind `key` in a file of lines "key number".
std::optional<std::size_t> number_behind(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    std::size_t number = 0;
    if (words >> word && word == key && words >> number) return number;
  }
  return std::nullopt;
}

/// Nothing where the file isn't there or says "max".
std::optional<std::size_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::size_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// The names that the two versions of control groups give the same things.
struct CgroupFiles {
  const char* mount;
  const char* limit;
  const char* used;
  const char* cache;  // in memory.stat: file pages that are given back when memory is short
};
constexpr CgroupFiles kVersion1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                   "total_inactive_file"};
constexpr CgroupFiles kVersion2 = {"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};

std::optional<std::size_t> room_in(const fs::path& group, const CgroupFiles& files) {
  const auto limit = number_in(group / files.limit), used = number_in(group / files.used);
  if (!limit || !used) return std::nullopt;
  const std::size_t cache = number_behind(group / "memory.stat", files.cache).value_or(0);
  const std::size_t kept = *used - std::min(cache, *used);
  return *limit - std::min(kept, *limit);
}

class Least {
 public:
  void take(std::optional<std::size_t> number) {
    if (number) value_ = std::min(value_.value_or(*number), *number);
  }
  std::optional<std::size_t> value() const { return value_; }

 private:
  std::optional<std::size_t> value_;
};

/// A limit of any group above holds too. Inside a container the path may be the host's, of which only the mount is
/// seen.
void take_groups(const fs::path& mount, const fs::path& path, const CgroupFiles& files, Least& least) {
  const bool is_outside = path.native().find("..") != std::string::npos;
  for (fs::path group = is_outside ? "" : path.relative_path(); !group.empty(); group = group.parent_path())
    least.take(room_in(mount / group, files));
  least.take(room_in(mount, files));
}

}  // namespace

std::optional<std::size_t> free_memory(const std::string& root) {
  Least least;
  if (const auto kibibytes = number_behind(fs::path(root) / "proc/meminfo", "MemAvailable:"))
    least.take(*kibibytes * 1024);
  std::ifstream groups(fs::path(root) / "proc/self/cgroup");
  // "4:memory:/path" (version 1) or "0::/path" (version 2).
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const bool is_version2 = controllers == ",,";
    if (!is_version2 && controllers.find(",memory,") == std::string::npos) continue;
    const CgroupFiles& files = is_version2 ? kVersion2 : kVersion1;
    take_groups(fs::path(root) / files.mount, line.substr(second + 1), files, least);
  }
  return least.value();
}

std::string mebibytes(std::size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

}  // namespace cudacards
