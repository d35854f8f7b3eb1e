#pragma once
// What lies in a data set's folders, without judging whether it fits together: scan_dataset and check_dataset do that.

#include <string>
#include <vector>

#include "host/data/dataset.h"

namespace cudacards {

struct ClassFolder {
  std::string name, path;
  std::vector<std::string> files;  // paths of what could be pictures, sorted by name (byte order)
};

struct SplitFolder {
  std::string name;  // "train", "valid", "test"
  std::string path;
  std::vector<ClassFolder> classes;  // sorted by name (byte order)
  const ClassFolder* find(const std::string& class_name) const;
};

struct FolderScan {
  DatasetLayout layout = DatasetLayout::kSplits;
  std::vector<SplitFolder> splits;  // those that are there, in the order train, valid, test
  std::vector<BadFile> skipped;     // paths printable
  const SplitFolder* find(const std::string& split_name) const;
};

/// A file that could be a picture, and where it stands.
struct ScannedFile {
  std::string path, split, class_name;
};

/// In the order of the scan.
std::vector<ScannedFile> files_of(const FolderScan& scan);

/// "king.JPG": by the ending of the name, also of formats that this program can't decode.
bool has_picture_extension(const std::string& name);

/// The folders that `options` names. A root that holds `train`, or nothing but split folders, is taken apart into
/// train, valid (also `val` or `validation`) and test; any other root is one folder of class folders and counts as
/// train. Throws Error where a folder can't be read, holds no class folder, or has a class whose name is not UTF-8.
FolderScan scan_folders(const DatasetOptions& options);

}  // namespace cudacards
