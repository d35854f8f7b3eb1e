#include "host/train/user_cache.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {

std::string user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");  // NOLINT(concurrency-mt-unsafe): nobody
                                                      // sets the environment
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/cudacards";
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/cudacards";
  return "";
}

void make_cache_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error(fmt::format("{}: {}", path, error.message()));
}

}  // namespace cudacards
