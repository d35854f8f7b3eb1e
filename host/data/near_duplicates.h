#pragma once
// Pictures that are all but the same: one photograph saved twice, in another size, crop or quality. In train and in
// valid they make a model look better than it is; under two classes, one of them is wrong.

#include <cstdint>
#include <vector>

#include "host/data/dataset.h"
#include "host/data/folder_scan.h"

namespace cudacards {

/// Of the difference() of two pictures (host/data/likeness.h). Among 7,889 photographs of cards 162 pairs are below it, and
/// each shows one card of one design twice, six times under two labels; above 0.41 different cards of one design come in.
constexpr double kNearLimit = 0.4;

struct NearDuplicate {
  ScannedFile first, second;  // in the order of the scan: train before valid before test
  double difference = 0;      // 0: the same pixels

  bool across_splits() const { return first.split != second.split; }
  bool across_labels() const { return first.class_name != second.class_name; }
};

struct NearDuplicates {
  std::int64_t pictures = 0;  // that were compared
  std::vector<BadFile> bad;   // that could not be read
  /// Between splits first, then between classes, then the others; the most alike first.
  std::vector<NearDuplicate> pairs;
};

/// Decodes every picture of the scan in parallel (16 KB are kept of each) and compares each with each. Pairs are looked
/// at closely when their hashes differ in at most 16 of 64 bits and their coarse copies correlate by 0.93.
/// `progress` counts the pictures. Throws Error where none can be read.
NearDuplicates find_near_duplicates(const FolderScan& scan, double limit = kNearLimit,
                                    const WorkProgress& progress = {});

}  // namespace cudacards
