#include "host/data/folder_scan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/runtime/error.h"
#include "host/runtime/utf8.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

// Formats that this program can't decode are on the list too: such a file is a picture, and so it is bad, not
// overlooked.
constexpr std::array<std::string_view, 15> kPictureExtensions = {
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff", "heic", "heif", "avif", "jp2", "jxl"};

struct SplitName {
  const char* folder;
  const char* split;
};
constexpr std::array<SplitName, 5> kSplitNames = {
    {{"train", "train"}, {"valid", "valid"}, {"val", "valid"}, {"validation", "valid"}, {"test", "test"}}};

struct Entry {
  std::string name, path;
  fs::file_type type = fs::file_type::none;  // of what a link points to
  std::string trouble;                       // why there is no type
};

/// Sorted by name (byte order).
std::vector<Entry> list(const std::string& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) throw Error(fmt::format("can't read the folder {}: {}", printable(folder), std::strerror(error.value())));
  std::vector<Entry> result;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    Entry entry{.name = entries->path().filename().string(), .path = entries->path().string(), .trouble = {}};
    std::error_code trouble;
    entry.type = entries->status(trouble).type();
    if (entry.type == fs::file_type::none) entry.trouble = std::strerror(trouble.value());
    if (entry.type == fs::file_type::not_found) entry.trouble = "a link to nothing";
    if (trouble.value() == ELOOP) entry.trouble = "a link in a circle";
    result.push_back(std::move(entry));
  }
  if (error) throw Error(fmt::format("can't read the folder {}: {}", printable(folder), std::strerror(error.value())));
  std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return result;
}

}  // namespace

bool has_picture_extension(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  if (extension.empty()) return false;
  extension.erase(0, 1);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kPictureExtensions.begin(), kPictureExtensions.end(), extension) != kPictureExtensions.end();
}

namespace {

bool is_clutter(const std::string& name) {
  return name.front() == '.' || name == "Thumbs.db" || name == "desktop.ini" || name == "__MACOSX";
}

/// Why an entry of a class folder is not a picture; empty where it may be one.
std::string why_skipped(const Entry& entry) {
  if (is_clutter(entry.name)) return "hidden or a file manager's";
  if (!entry.trouble.empty()) return entry.trouble;
  if (entry.type == fs::file_type::directory) return "a folder inside a class folder";
  if (entry.type != fs::file_type::regular) return "not a regular file";
  if (!is_utf8(entry.name)) return "its name is not UTF-8";
  if (!has_picture_extension(entry.name)) return "not a picture by its name";
  return {};
}

class Scanner {
 public:
  FolderScan scan(const DatasetOptions& options) {
    const bool one_by_one = !options.train.empty() || !options.valid.empty() || !options.test.empty();
    if (one_by_one && !options.root.empty()) {
      throw UsageError("name either one data folder or the folders of train, valid and test one by one, not both");
    }
    if (!one_by_one) {
      scan_root(options.root);
    } else {
      if (!options.train.empty()) add_split("train", options.train);
      if (!options.valid.empty()) add_split("valid", options.valid);
      if (!options.test.empty()) add_split("test", options.test);
    }
    return std::move(result_);
  }

 private:
  void skip(const std::string& path, std::string reason) {
    result_.skipped.push_back({printable(path), std::move(reason)});
  }

  void scan_root(const std::string& root) {
    std::vector<Entry> entries = list(root);
    const auto is_folder = [](const Entry& e) { return e.type == fs::file_type::directory && !is_clutter(e.name); };
    const auto is_split = [&](const Entry& e) {
      return is_folder(e) && std::any_of(kSplitNames.begin(), kSplitNames.end(),
                                         [&](const SplitName& s) { return e.name == s.folder; });
    };
    const auto folders = std::count_if(entries.begin(), entries.end(), is_folder);
    const auto split_folders = std::count_if(entries.begin(), entries.end(), is_split);
    const bool has_train =
        std::any_of(entries.begin(), entries.end(), [&](const Entry& e) { return is_folder(e) && e.name == "train"; });
    if (!has_train && (split_folders == 0 || split_folders != folders)) {
      result_.layout = DatasetLayout::kBare;
      return add_split("train", root);
    }

    for (const auto& [folder, split] : kSplitNames) {
      for (const Entry& entry : entries) {
        if (!is_split(entry) || entry.name != folder) continue;
        if (const SplitFolder* other = result_.find(split)) {
          throw Error(fmt::format("{} and {} are both there: which one is {}? name them one by one",
                                  printable(other->path), printable(entry.path), split));
        }
        add_split(split, entry.path);
      }
    }
    for (const Entry& entry : entries) {
      if (!is_split(entry))
        skip(entry.path, is_clutter(entry.name) ? "hidden or a file manager's" : "none of train, valid and test");
    }
  }

  void add_split(const char* name, const std::string& path) {
    SplitFolder split{name, path, {}};
    int pictures = 0;
    for (const Entry& entry : list(path)) {
      if (is_clutter(entry.name)) {
        skip(entry.path, "hidden or a file manager's");
      } else if (!entry.trouble.empty()) {
        skip(entry.path, entry.trouble);
      } else if (entry.type != fs::file_type::directory) {
        pictures += has_picture_extension(entry.name);
        skip(entry.path, "a file beside the class folders");
      } else if (!is_utf8(entry.name)) {
        throw Error(fmt::format("the class folder {} has a name that is not UTF-8: rename it", printable(entry.path)));
      } else {
        split.classes.push_back(scan_class(entry));
      }
    }
    if (split.classes.empty()) {
      throw Error(
          fmt::format("no card classes in {0}: expected folders of pictures ({0}/{1}<class>/*.jpg), found {2} pictures "
                      "and no folder",
                      printable(path), fs::path(path).filename() == name ? "" : "train/", pictures));
    }
    result_.splits.push_back(std::move(split));
  }

  ClassFolder scan_class(const Entry& folder) {
    ClassFolder result{folder.name, folder.path, {}};
    for (const Entry& entry : list(folder.path)) {
      std::string reason = why_skipped(entry);
      if (reason.empty()) {
        result.files.push_back(entry.path);
      } else {
        skip(entry.path, std::move(reason));
      }
    }
    return result;
  }

  FolderScan result_;
};

}  // namespace

const ClassFolder* SplitFolder::find(const std::string& class_name) const {
  const auto at =
      std::find_if(classes.begin(), classes.end(), [&](const ClassFolder& c) { return c.name == class_name; });
  return at == classes.end() ? nullptr : &*at;
}

const SplitFolder* FolderScan::find(const std::string& split_name) const {
  const auto at =
      std::find_if(splits.begin(), splits.end(), [&](const SplitFolder& s) { return s.name == split_name; });
  return at == splits.end() ? nullptr : &*at;
}

std::vector<ScannedFile> files_of(const FolderScan& scan) {
  std::vector<ScannedFile> files;
  for (const SplitFolder& split : scan.splits) {
    for (const ClassFolder& folder : split.classes) {
      for (const std::string& path : folder.files) files.push_back({path, split.name, folder.name});
    }
  }
  return files;
}

FolderScan scan_folders(const DatasetOptions& options) { return Scanner().scan(options); }

}  // namespace cudacards
