#pragma once
// How many pictures of each class and of which size: what `cudacards data stats` prints and draws.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "host/data/dataset.h"
#include "host/data/image.h"

namespace cudacards {

struct SplitStats {
  std::string name;                  // "train", "valid", "test"
  std::vector<std::int64_t> counts;  // one a class
  std::int64_t total = 0, smallest = 0, largest = 0;
  double mean = 0;  // pictures a class
};

struct DatasetStats {
  std::vector<std::string> classes;
  std::vector<SplitStats> splits;                         // those that have pictures
  std::vector<std::pair<ImageSize, std::int64_t>> sizes;  // of all splits, the most frequent first
  std::int64_t unreadable = 0;  // files whose header can't be read; counted in their class all the same
};

/// Reads the header of every picture, in parallel.
DatasetStats dataset_stats(const Dataset& dataset);

}  // namespace cudacards
