// Arrows point one way: a room includes only rooms below it. Read from the sources, so that a wrong arrow fails before
// it is a habit.

#include <fmt/format.h>
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

struct Source {
  std::string path;  // from the root: "host/ops/dense.cpp"
  std::vector<std::string> includes;
  int lines = 0;
};

std::vector<std::string> rooms_of_sources() { return {"kernels", "host", "models", "weights"}; }

bool is_source(const fs::path& path) {
  static const std::set<std::string> extensions = {".h", ".cpp", ".cu", ".cuh"};
  return extensions.contains(path.extension().string());
}

Source read_source(const fs::path& path) {
  static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  Source source{.path = fs::relative(path, kRoot).string(), .includes = {}};
  std::ifstream file(path);
  for (std::string line; std::getline(file, line); ++source.lines) {
    std::smatch match;
    if (std::regex_search(line, match, include)) source.includes.push_back(match[1]);
  }
  return source;
}

std::vector<Source> sources_in(const std::vector<std::string>& folders) {
  std::vector<Source> sources;
  for (const std::string& folder : folders) {
    if (!fs::exists(kRoot / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (entry.is_regular_file() && is_source(entry.path())) sources.push_back(read_source(entry.path()));
    }
  }
  return sources;
}

/// "host/ops" of "host/ops/vendor/onednn.h", "kernels" of "kernels/base/dtype.h"; empty for what is none of ours.
std::string room_of(const std::string& path) {
  const std::size_t first = path.find('/');
  if (first == std::string::npos) return "";
  const std::string top = path.substr(0, first);
  if (top != "host") return top;
  const std::size_t second = path.find('/', first + 1);
  return second == std::string::npos ? "" : path.substr(0, second);
}

// What each room may include besides itself.
const std::map<std::string, std::set<std::string>>& allowed() {
  static const std::map<std::string, std::set<std::string>> rooms = [] {
    std::map<std::string, std::set<std::string>> r;
    const auto below = [&](const std::string& room, std::vector<std::string> direct) {
      for (const std::string& lower : direct) {
        r[room].insert(lower);
        r[room].insert(r[lower].begin(), r[lower].end());
      }
    };
    r["kernels"] = {};
    below("host/runtime", {"kernels"});
    below("host/ops", {"host/runtime"});
    below("host/graph", {"host/ops"});
    below("host/data", {"host/ops"});
    below("host/scene", {"host/data"});
    below("models", {"host/graph"});
    below("weights", {"host/graph"});
    below("host/report", {"host/graph", "host/data"});
    below("host/export", {"weights"});
    below("host/train", {"host/report", "models", "host/export"});
    below("host/cli", {"host/train", "host/scene"});
    return r;
  }();
  return rooms;
}

TEST(Architecture, RoomsIncludeOnlyRoomsBelowThem) {
  const std::vector<Source> sources = sources_in(rooms_of_sources());
  ASSERT_GT(sources.size(), 50u) << "no sources under " << kRoot;
  for (const Source& source : sources) {
    const std::string room = room_of(source.path);
    ASSERT_TRUE(allowed().contains(room)) << source.path << " is in a room that this test doesn't know";
    for (const std::string& include : source.includes) {
      const std::string other = room_of(include);
      if (!allowed().contains(other) || other == room) continue;
      EXPECT_TRUE(allowed().at(room).contains(other)) << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, NothingIncludesTestsOrBench) {
  for (const Source& source : sources_in(rooms_of_sources())) {
    for (const std::string& include : source.includes) {
      EXPECT_FALSE(include.starts_with("tests/") || include.starts_with("bench/"))
          << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, OnlyVendorFilesKnowVendorLibraries) {
  const std::regex vendor("^(dnnl|oneapi/dnnl|cudnn|cublas)");
  for (const Source& source : sources_in(rooms_of_sources())) {
    if (source.path.starts_with("host/ops/vendor/")) continue;
    for (const std::string& include : source.includes) {
      EXPECT_FALSE(std::regex_search(include, vendor)) << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, OnlyOneFolderKnowsOnnx) {
  for (const Source& source : sources_in(rooms_of_sources())) {
    if (source.path.starts_with("host/export/onnx/")) continue;
    for (const std::string& include : source.includes)
      EXPECT_FALSE(include.starts_with("onnx/")) << source.path << " includes " << include;
  }
}

TEST(Architecture, TheGraphSeesOperationsAndNoKernel) {
  for (const Source& source : sources_in({"host/graph", "models"})) {
    for (const std::string& include : source.includes) {
      const bool is_kernel = include.starts_with("kernels/") && !include.starts_with("kernels/base/");
      EXPECT_FALSE(is_kernel || include.starts_with("host/ops/vendor/")) << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, TheCudaRuntimeStaysBelowTheOperations) {
  const std::regex cuda("^cuda");
  for (const Source& source : sources_in(rooms_of_sources())) {
    const bool may = source.path.starts_with("kernels/") || source.path.starts_with("host/runtime/") ||
                     source.path.starts_with("host/ops/vendor/");
    for (const std::string& include : source.includes) {
      EXPECT_TRUE(may || !std::regex_search(include, cuda)) << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, KernelHeadersForTheHostArePlainCpp) {
  for (const Source& source : sources_in({"kernels"})) {
    if (!source.path.ends_with(".h") || source.path.starts_with("kernels/simt/")) continue;
    for (const std::string& include : source.includes) {
      EXPECT_FALSE(include.starts_with("cuda") || include.starts_with("kernels/simt/"))
          << source.path << " includes " << include;
    }
  }
}

TEST(Architecture, NoFileIsAWarehouse) {
  for (const Source& source : sources_in({"kernels", "host", "models", "weights", "tests", "bench"})) {
    EXPECT_LE(source.lines, 500) << source.path << " holds two things: find the second one's name";
  }
}

}  // namespace
}  // namespace cudacards
