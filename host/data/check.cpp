#include "host/data/check.h"

#include <algorithm>
#include <map>
#include <utility>

#include "host/data/files.h"
#include "host/data/folder_scan.h"
#include "host/data/image_decode.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

struct Finding {
  ScannedFile file;
  Sha256 digest{};
  std::string reason = {};  // empty: decodes
};

std::vector<Finding> findings_of(std::vector<ScannedFile> files) {
  std::vector<Finding> findings;
  for (ScannedFile& file : files) findings.push_back({std::move(file)});
  return findings;
}

enum class Depth { kBytes, kPicture };

void look_at(Finding& finding, Depth depth) {
  try {
    const std::vector<std::uint8_t> bytes = read_file(finding.file.path);
    finding.digest = sha256(bytes);
    if (depth == Depth::kPicture) decode_image(bytes);
  } catch (const Error& error) {
    finding.reason = error.what();
  }
}

void look_at(std::vector<Finding>& findings, Depth depth) {
  parallel_items(static_cast<std::int64_t>(findings.size()), {},
                 [&](std::int64_t i) { look_at(findings[static_cast<std::size_t>(i)], depth); });
}

std::vector<Duplicates> group_equal(const std::vector<Finding>& files) {
  std::map<Sha256, std::vector<const Finding*>> by_digest;
  for (const Finding& file : files) {
    if (file.reason.empty()) by_digest[file.digest].push_back(&file);
  }
  std::vector<Duplicates> result;
  for (const auto& [digest, group] : by_digest) {
    if (group.size() < 2) continue;
    Duplicates duplicates;
    for (const Finding* finding : group) {
      duplicates.files.push_back(finding->file);
      duplicates.across_labels |= finding->file.class_name != group.front()->file.class_name;
      duplicates.across_splits |= finding->file.split != group.front()->file.split;
    }
    result.push_back(std::move(duplicates));
  }
  std::sort(result.begin(), result.end(),
            [](const Duplicates& a, const Duplicates& b) { return a.paths() < b.paths(); });
  return result;
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

std::vector<std::string> Duplicates::paths() const {
  std::vector<std::string> texts;
  for (const ScannedFile& file : files) texts.push_back(printable(file.path));
  return texts;
}

std::vector<Duplicates> find_identical(std::vector<ScannedFile> files) {
  std::vector<Finding> findings = findings_of(std::move(files));
  look_at(findings, Depth::kBytes);
  return group_equal(findings);
}

std::vector<Duplicates> find_duplicates(const Pictures& train, const Pictures& valid,
                                        const std::vector<std::string>& classes) {
  std::vector<Finding> files;
  for (const auto& [split, pictures] : {std::pair("train", &train), std::pair("valid", &valid)}) {
    for (std::int64_t i = 0; i < pictures->size(); ++i) {
      const std::string& class_name = classes[static_cast<std::size_t>(pictures->label(i))];
      files.push_back({{pictures->sample(i).path, split, class_name}, pictures->digest(i)});
    }
  }
  return group_equal(files);
}

bool DatasetCheck::passes() const {
  return bad.empty() && empty_classes.empty() &&
         std::none_of(mismatches.begin(), mismatches.end(),
                      [](const ClassMismatch& m) { return m.kind == ClassMismatch::Kind::kUnknown; });
}

DatasetCheck check_dataset(const DatasetOptions& options) {
  FolderScan scan = scan_folders(options);
  std::vector<Finding> files = findings_of(files_of(scan));
  look_at(files, Depth::kPicture);

  DatasetCheck check;
  check.pictures = static_cast<std::int64_t>(files.size());
  check.classes = options.classes;
  if (check.classes.empty()) {
    for (const ClassFolder& folder : scan.splits.front().classes) check.classes.push_back(folder.name);
  }
  for (const Finding& file : files) {
    if (!file.reason.empty()) check.bad.push_back({printable(file.file.path), file.reason});
  }
  for (const SplitFolder& split : scan.splits) {
    for (const ClassFolder& folder : split.classes) {
      const bool has_picture = std::any_of(files.begin(), files.end(), [&](const Finding& f) {
        return f.file.split == split.name && f.file.class_name == folder.name && f.reason.empty();
      });
      if (!has_picture) check.empty_classes.push_back(printable(folder.path));
    }
  }
  check.mismatches = compare_classes(scan, check.classes);
  check.duplicates = group_equal(files);
  check.skipped = std::move(scan.skipped);
  return check;
}

}  // namespace cudacards
