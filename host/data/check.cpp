#include "host/data/check.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "host/data/files.h"
#include "host/data/folder_scan.h"
#include "host/data/image_decode.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

struct Finding {
  const SplitFolder* split = nullptr;
  const ClassFolder* folder = nullptr;
  const std::string* path = nullptr;
  Sha256 digest{};
  std::string reason;  // empty: decodes
};

std::vector<Finding> list_files(const FolderScan& scan) {
  std::vector<Finding> files;
  for (const SplitFolder& split : scan.splits) {
    for (const ClassFolder& folder : split.classes) {
      for (const std::string& path : folder.files) {
        files.push_back({.split = &split, .folder = &folder, .path = &path, .reason = {}});
      }
    }
  }
  return files;
}

void look_at(Finding& file) {
  try {
    const std::vector<std::uint8_t> bytes = read_file(*file.path);
    file.digest = sha256(bytes);
    decode_image(bytes);
  } catch (const Error& error) {
    file.reason = error.what();
  }
}

/// A file's contents with where it stands.
struct Fingerprint {
  const std::string* path = nullptr;
  std::string_view split, class_name;
  Sha256 digest{};
};

std::vector<Duplicates> group_equal(const std::vector<Fingerprint>& files) {
  std::map<Sha256, std::vector<const Fingerprint*>> by_digest;
  for (const Fingerprint& file : files) by_digest[file.digest].push_back(&file);
  std::vector<Duplicates> result;
  for (const auto& [digest, group] : by_digest) {
    if (group.size() < 2) continue;
    Duplicates duplicates;
    for (const Fingerprint* file : group) {
      duplicates.paths.push_back(printable(*file->path));
      duplicates.across_labels |= file->class_name != group.front()->class_name;
      duplicates.across_splits |= file->split != group.front()->split;
    }
    result.push_back(std::move(duplicates));
  }
  std::sort(result.begin(), result.end(), [](const Duplicates& a, const Duplicates& b) { return a.paths < b.paths; });
  return result;
}

std::vector<Duplicates> find_duplicates(const std::vector<Finding>& files) {
  std::vector<Fingerprint> fingerprints;
  for (const Finding& file : files) {
    if (file.reason.empty()) fingerprints.push_back({file.path, file.split->name, file.folder->name, file.digest});
  }
  return group_equal(fingerprints);
}

std::vector<ClassMismatch> compare_classes(const FolderScan& scan, const std::vector<std::string>& classes) {
  std::vector<ClassMismatch> result;
  for (const SplitFolder& split : scan.splits) {
    for (const ClassFolder& folder : split.classes) {
      if (!std::binary_search(classes.begin(), classes.end(), folder.name)) {
        result.push_back({ClassMismatch::Kind::kUnknown, split.name, folder.name});
      }
    }
    for (const std::string& name : classes) {
      if (split.find(name) == nullptr) result.push_back({ClassMismatch::Kind::kMissing, split.name, name});
    }
  }
  return result;
}

}  // namespace

const char* meaning_of(const Duplicates& duplicates) {
  if (duplicates.across_labels && duplicates.across_splits) return "under different classes and in different splits";
  if (duplicates.across_labels) return "under different classes: one label is wrong";
  if (duplicates.across_splits) return "in different splits: validation sees what was trained on";
  return "inside one class";
}

std::vector<Duplicates> find_duplicates(const Dataset& dataset) {
  std::vector<Fingerprint> files;
  for (const auto& [split, samples] : {std::pair("train", &dataset.train), std::pair("valid", &dataset.valid)}) {
    for (const Sample& sample : *samples) {
      files.push_back({&sample.path, split, dataset.classes[static_cast<std::size_t>(sample.label)], {}});
    }
  }
  std::vector<char> is_read(files.size(), 0);
  parallel_ranges(static_cast<std::int64_t>(files.size()), [&](std::int64_t begin, std::int64_t end, int) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        files[i].digest = sha256(read_file(*files[i].path));
        is_read[i] = 1;
      } catch (const Error&) {  // decoding names it
      }
    }
  });
  std::vector<Fingerprint> whole;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (is_read[i] != 0) whole.push_back(files[i]);
  }
  return group_equal(whole);
}

bool DatasetCheck::passes() const {
  return bad.empty() && empty_classes.empty() &&
         std::none_of(mismatches.begin(), mismatches.end(),
                      [](const ClassMismatch& m) { return m.kind == ClassMismatch::Kind::kUnknown; });
}

DatasetCheck check_dataset(const DatasetOptions& options) {
  FolderScan scan = scan_folders(options);
  std::vector<Finding> files = list_files(scan);
  parallel_ranges(static_cast<std::int64_t>(files.size()), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) look_at(files[static_cast<std::size_t>(i)]);
  });

  DatasetCheck check;
  check.pictures = static_cast<std::int64_t>(files.size());
  check.classes = options.classes;
  if (check.classes.empty()) {
    for (const ClassFolder& folder : scan.splits.front().classes) check.classes.push_back(folder.name);
  }
  for (const Finding& file : files) {
    if (!file.reason.empty()) check.bad.push_back({printable(*file.path), file.reason});
  }
  for (const SplitFolder& split : scan.splits) {
    for (const ClassFolder& folder : split.classes) {
      const bool has_picture = std::any_of(files.begin(), files.end(),
                                           [&](const Finding& f) { return f.folder == &folder && f.reason.empty(); });
      if (!has_picture) check.empty_classes.push_back(printable(folder.path));
    }
  }
  check.mismatches = compare_classes(scan, check.classes);
  check.duplicates = find_duplicates(files);
  check.skipped = std::move(scan.skipped);
  return check;
}

}  // namespace cudacards
