#include "host/runtime/cpu.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace cudacards {
namespace {

constexpr std::array<std::string_view, 9> kInteresting = {
    "sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"};

std::string value_of(const std::string& line) {
  const std::size_t colon = line.find(": ");
  return colon == std::string::npos ? "" : line.substr(colon + 2);
}

}  // namespace

CpuInfo cpu_info() {
  CpuInfo info;
  std::set<std::string> flags;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && (info.model.empty() || flags.empty());) {
    if (line.starts_with("model name")) info.model = value_of(line);
    if (line.starts_with("flags")) {
      std::istringstream words(value_of(line));
      for (std::string word; words >> word;) flags.insert(word);
    }
  }
  for (const std::string_view feature : kInteresting) {
    if (flags.contains(std::string(feature))) info.features.emplace_back(feature);
  }
  return info;
}

bool cpu_has_bf16() {
  static const bool result = [] {
    const CpuInfo info = cpu_info();
    return std::any_of(info.features.begin(), info.features.end(),
                       [](const std::string& f) { return f.ends_with("_bf16"); });
  }();
  return result;
}

std::size_t last_cache_bytes() {
  for (const int level : {_SC_LEVEL4_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE}) {
    if (const long bytes = sysconf(level); bytes > 0) return static_cast<std::size_t>(bytes);
  }
  return 0;
}

}  // namespace cudacards
