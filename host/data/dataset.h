#pragma once
// A folder of class folders as a data set: which pictures there are, what is on them, and what is wrong with the rest.
// The user's folder is only ever read.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/data/files.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"

namespace cudacards {

struct Sample {
  std::string path;
  int label = 0;  // index in the class names that the split was scanned with
};

struct BadFile {
  std::string path, reason;
};

/// Where pictures come from. Either root (with train/, valid/, test/ inside, or class folders right there), or the
/// folders one by one.
struct DatasetOptions {
  std::string root = {}, train = {}, valid = {}, test = {};
  /// The share of train that becomes valid where there is no valid, chosen by a hash of the file's name.
  double holdout = 0.1;
  /// When not empty (a checkpoint's): folders are matched to them by name, and an unknown folder is an Error.
  std::vector<std::string> classes = {};
};

/// kBare: class folders right in the root, which counts as train.
enum class DatasetLayout : std::uint8_t { kSplits, kBare };

struct Dataset {
  DatasetLayout layout = DatasetLayout::kSplits;
  std::vector<std::string> classes;  // sorted by name (byte order)
  std::vector<Sample> train, valid, test;
  std::vector<BadFile> skipped;  // not pictures by their name or kind: .DS_Store, links in circles, ...
  std::string valid_source;      // "valid", or "10 % of train, by a hash of the name"
};

/// "train", "valid" or "test".
const std::vector<Sample>& samples_of(const Dataset& dataset, const std::string& split);

/// Lists files; opens none. Throws Error where folders, class names or splits do not fit together.
Dataset scan_dataset(const DatasetOptions& options);

/// Decoded pictures of one split, (N,H,W,3) uint8 RGB in one piece of memory.
class Pictures {
 public:
  /// Of pictures that are in memory already, (labels.size(),H,W,3), and came from no file.
  static Pictures from_memory(int height, int width, const std::vector<int>& labels, Buffer pixels);

  int height() const { return height_; }
  int width() const { return width_; }
  std::int64_t size() const { return static_cast<std::int64_t>(samples_.size()); }
  const std::uint8_t* pixels(std::int64_t i) const;
  int label(std::int64_t i) const { return samples_[static_cast<std::size_t>(i)].label; }
  const Sample& sample(std::int64_t i) const { return samples_[static_cast<std::size_t>(i)]; }
  /// Of the file's bytes.
  const Sha256& digest(std::int64_t i) const { return digests_[static_cast<std::size_t>(i)]; }
  const std::vector<BadFile>& bad() const { return bad_; }

 private:
  friend Pictures noise_pictures(std::int64_t, int, int, int);
  friend Pictures decode_pictures(const std::vector<Sample>&, int, int, double, const std::vector<std::string>&,
                                  const WorkProgress&);
  int height_ = 0, width_ = 0;
  std::vector<Sample> samples_;  // without the bad ones, order kept
  std::vector<Sha256> digests_;  // beside the samples
  std::vector<BadFile> bad_;
  Buffer pixels_;
};

/// The share of bad files above which a run stops.
constexpr double kBadLimit = 0.10;

/// Decodes in parallel. Bad files are left out and listed; above `bad_limit` of all, or where a class loses its last
/// picture, Error. `progress` counts files; what it throws stops the work.
Pictures decode_pictures(const std::vector<Sample>& samples, int height, int width, double bad_limit,
                         const std::vector<std::string>& classes, const WorkProgress& progress = {});

}  // namespace cudacards
