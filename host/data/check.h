#pragma once
// Everything that is wrong with a data set, gathered instead of stopping at the first: what `cudacards data check`
// prints.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/dataset.h"
#include "host/data/folder_scan.h"

namespace cudacards {

/// Files with the same bytes.
struct Duplicates {
  std::vector<ScannedFile> files;  // in the order of the scan, two or more
  bool across_labels = false;      // one picture under two class names: at least one label is wrong
  bool across_splits = false;      // one picture in two splits: valid or test measures what was trained on

  std::vector<std::string> paths() const;  // printable
};

/// "under different classes: one label is wrong".
const char* meaning_of(const Duplicates& duplicates);

/// Reads the files in parallel; those that cannot be read are passed over.
std::vector<Duplicates> find_identical(std::vector<ScannedFile> files);

/// Among decoded pictures, by the bytes of their files. Opens none of them again.
std::vector<Duplicates> find_duplicates(const Pictures& train, const Pictures& valid,
                                        const std::vector<std::string>& classes);

/// A class folder that not every split has. In valid or test but not in train is an error; the other way round is only
/// worth knowing.
struct ClassMismatch {
  enum class Kind : std::uint8_t { kUnknown, kMissing };
  Kind kind = Kind::kUnknown;
  std::string split,
      class_name;  // `split` has (kUnknown) or lacks (kMissing) the folder, compared with the first split
};

struct DatasetCheck {
  std::vector<std::string> classes;
  std::int64_t pictures = 0;               // files looked at, bad ones included
  std::vector<BadFile> bad;                // don't decode
  std::vector<BadFile> skipped;            // not pictures by their name or kind
  std::vector<std::string> empty_classes;  // folders without a picture that decodes
  std::vector<ClassMismatch> mismatches;
  std::vector<Duplicates> duplicates;  // by their paths

  /// False where a person has to act: bad files, empty or unknown classes. Duplicates and what was skipped are
  /// warnings.
  bool passes() const;
};

/// Reads and decodes every picture, in parallel. Throws Error only where there is no data set at all.
DatasetCheck check_dataset(const DatasetOptions& options);

}  // namespace cudacards
