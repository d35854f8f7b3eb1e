// What the kernels' comments and docs/kernels.md say about files, held against the files.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace cudacards {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = CUDACARDS_SOURCE_DIR;

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

/// "conv2d" of "kernels/conv2d/view.h"; empty for what is no kernel's.
std::string family_of(const std::string& include) {
  static const std::regex of_kernel("^kernels/([a-z0-9_]+)/.+");
  std::smatch match;
  return std::regex_match(include, match, of_kernel) ? match[1].str() : std::string();
}

/// Every file under kernels/ that `path` includes, directly or not.
void add_includes(const std::string& path, std::set<std::string>& all) {
  static const std::regex include("^#include \"(kernels/[^\"]+)\"");
  if (!all.insert(path).second || path.find("/emulator/") != std::string::npos) return;
  for (const std::string& line : lines_of(kRoot / path)) {
    std::smatch match;
    if (std::regex_search(line, match, include)) add_includes(match[1], all);
  }
}

using Needs = std::map<std::string, std::set<std::string>>;  // operation -> other folders

Needs needs_of_sources() {
  Needs needs;
  for (const auto& folder : fs::directory_iterator(kRoot / "kernels")) {
    const std::string family = folder.path().filename().string();
    if (!folder.is_directory() || family == "base" || family == "simt") continue;
    std::set<std::string> files;
    for (const fs::path& file : files_below(folder.path())) add_includes(fs::relative(file, kRoot).string(), files);
    for (const std::string& file : files) {
      const std::string other = family_of(file);
      if (other != family && other != "base" && other != "simt") needs[family].insert(other);
    }
  }
  return needs;
}

Needs needs_in_docs() {
  Needs needs;
  bool is_there = false;
  for (const std::string& line : lines_of(kRoot / "docs/kernels.md")) {
    if (line.starts_with("## ")) is_there = line == "## Lift one out";
    static const std::regex row(R"(^\| `(\w+)` \| (.*) \|$)"), name("`(\\w+)`");
    std::smatch match;
    if (!is_there || !std::regex_match(line, match, row)) continue;
    const std::string others = match[2];
    for (std::sregex_iterator i(others.begin(), others.end(), name), end; i != end; ++i)
      needs[match[1]].insert((*i)[1]);
  }
  return needs;
}

TEST(Kernels, AreLiftedOutWithWhatTheDocumentationNames) { EXPECT_EQ(needs_in_docs(), needs_of_sources()); }

TEST(Kernels, NameFilesThatExistInTheirComments) {
  std::set<std::string> known = {"cuda_runtime.h"};
  for (const char* folder : {"kernels", "host", "bench", "tests"}) {
    for (const fs::path& file : files_below(kRoot / folder)) known.insert(file.filename().string());
  }
  static const std::regex name(R"(\b([a-z][a-z0-9_]{2,}\.(h|cuh|cu|cpp))\b)");
  int found = 0;
  for (const fs::path& file : files_below(kRoot / "kernels")) {
    if (file.string().find("/emulator/") != std::string::npos) continue;
    int number = 0;
    for (const std::string& line : lines_of(file)) {
      ++number;
      const std::size_t comment = line.find("//");
      if (comment == std::string::npos) continue;
      const std::string text = line.substr(comment);
      for (std::sregex_iterator i(text.begin(), text.end(), name), end; i != end; ++i, ++found) {
        EXPECT_TRUE(known.contains((*i)[1]))
            << fs::relative(file, kRoot).string() << ":" << number << " names " << (*i)[1] << ", which does not exist";
      }
    }
  }
  EXPECT_GT(found, 30);
}

}  // namespace
}  // namespace cudacards
