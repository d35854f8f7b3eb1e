#include "host/data/stats.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

SplitStats count(const char* name, const std::vector<Sample>& samples, std::size_t classes) {
  SplitStats stats{.name = name, .counts = std::vector<std::int64_t>(classes)};
  for (const Sample& sample : samples) ++stats.counts.at(static_cast<std::size_t>(sample.label));
  stats.total = static_cast<std::int64_t>(samples.size());
  stats.smallest = *std::min_element(stats.counts.begin(), stats.counts.end());
  stats.largest = *std::max_element(stats.counts.begin(), stats.counts.end());
  stats.mean = static_cast<double>(stats.total) / static_cast<double>(classes);
  return stats;
}

std::optional<ImageSize> try_size(const std::string& path) {
  try {
    return image_size(read_file(path));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

DatasetStats dataset_stats(const Dataset& dataset) {
  DatasetStats stats{.classes = dataset.classes, .splits = {}, .sizes = {}};
  std::map<ImageSize, std::int64_t> sizes;
  const auto add = [&](const char* name, const std::vector<Sample>& samples) {
    if (samples.empty()) return;
    stats.splits.push_back(count(name, samples, dataset.classes.size()));
    std::vector<std::optional<ImageSize>> found(samples.size());
    parallel_ranges(static_cast<std::int64_t>(samples.size()), [&](std::int64_t begin, std::int64_t end, int) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        found[i] = try_size(samples[i].path);
    });
    for (const auto& size : found) size ? ++sizes[*size] : ++stats.unreadable;
  };
  add("train", dataset.train);
  add("valid", dataset.valid);
  add("test", dataset.test);
  stats.sizes.assign(sizes.begin(), sizes.end());
  std::stable_sort(stats.sizes.begin(), stats.sizes.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return stats;
}

}  // namespace cudacards
