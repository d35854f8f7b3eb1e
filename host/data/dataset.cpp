#include "host/data/dataset.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/data/files.h"
#include "host/data/folder_scan.h"
#include "host/data/picture.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

std::string quoted(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) shown.push_back('"' + printable(names[i]) + '"');
  const std::string more = names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "";
  return fmt::format("{}{}", fmt::join(shown, ", "), more);
}

std::vector<std::string> class_names(const SplitFolder& split) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : split.classes) names.push_back(folder.name);
  return names;
}

/// What `names` has and `others` has not; both sorted.
std::vector<std::string> missing_from(const std::vector<std::string>& others, const std::vector<std::string>& names) {
  std::vector<std::string> result;
  std::set_difference(names.begin(), names.end(), others.begin(), others.end(), std::back_inserter(result));
  return result;
}

/// Labels are positions in `classes`, whatever other folders a split has or lacks.
std::vector<Sample> samples_of(const SplitFolder& split, const std::vector<std::string>& classes) {
  std::vector<Sample> samples;
  for (const ClassFolder& folder : split.classes) {
    const auto at = std::lower_bound(classes.begin(), classes.end(), folder.name);
    const int label = static_cast<int>(at - classes.begin());
    for (const std::string& file : folder.files) samples.push_back({file, label});
  }
  return samples;
}

void refuse_unknown_classes(const SplitFolder& split, const std::vector<std::string>& classes,
                            const std::string& owner) {
  const std::vector<std::string> names = class_names(split);
  const std::vector<std::string> unknown = missing_from(classes, names);
  if (unknown.empty()) return;
  const std::vector<std::string> lacking = missing_from(names, classes);
  throw Error(fmt::format("{} has {} that {} does not know: {}{}; classes are matched by the folder's name",
                          printable(split.path), unknown.size() == 1 ? "a class folder" : "class folders", owner,
                          quoted(unknown), lacking.empty() ? "" : fmt::format(", and lacks {}", quoted(lacking))));
}

/// The file's place in [0, 1): the first 8 bytes of SHA-256 of "<class>/<name>", as a fraction. It doesn't move when
/// other files come or go, nor with the folder.
double holdout_place(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string name = file.parent_path().filename().string() + '/' + file.filename().string();
  const Sha256 digest = sha256({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  std::uint64_t head = 0;
  for (int i = 0; i < 8; ++i) head = head << 8 | digest[static_cast<std::size_t>(i)];
  return static_cast<double>(head >> 11) * 0x1p-53;
}

void split_off_valid(Dataset& set, double share) {
  std::vector<Sample> rest;
  for (Sample& sample : set.train) {
    (holdout_place(sample.path) < share ? set.valid : rest).push_back(std::move(sample));
  }
  // A class of few pictures may have been taken whole: it is worth more in train.
  for (int label = 0; label < static_cast<int>(set.classes.size()); ++label) {
    const auto has_label = [label](const Sample& sample) { return sample.label == label; };
    if (std::any_of(rest.begin(), rest.end(), has_label)) continue;
    std::copy_if(set.valid.begin(), set.valid.end(), std::back_inserter(rest), has_label);
    std::erase_if(set.valid, has_label);
  }
  std::stable_sort(rest.begin(), rest.end(), [](const Sample& a, const Sample& b) { return a.label < b.label; });
  set.train = std::move(rest);
  set.valid_source = fmt::format("{:g} % of train, by a hash of the name", share * 100);
}

/// "ace of clubs/001.jpg (empty file)", for one line of an error.
std::string described(const BadFile& file) { return fmt::format("{} ({})", file.path, file.reason); }

void check_bad_files(const std::vector<BadFile>& bad, const std::vector<Sample>& good, std::size_t files, double limit,
                     const std::vector<int>& bad_labels, const std::vector<std::string>& classes) {
  if (bad.empty()) return;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto has_label = [&](const Sample& sample) { return sample.label == bad_labels[i]; };
    if (std::any_of(good.begin(), good.end(), has_label)) continue;
    throw Error(fmt::format("no picture of \"{}\" can be read: {}; `cudacards data check` lists all bad files",
                            printable(classes.at(static_cast<std::size_t>(bad_labels[i]))), described(bad[i])));
  }
  if (static_cast<double>(bad.size()) > limit * static_cast<double>(files)) {
    throw Error(fmt::format(
        "{} of {} pictures are bad, more than the limit of {:g} %: {}; `cudacards data check` lists all bad files",
        bad.size(), files, limit * 100, described(bad.front())));
  }
}

}  // namespace

const std::vector<Sample>& samples_of(const Dataset& dataset, const std::string& split) {
  CUDACARDS_CHECK(split == "train" || split == "valid" || split == "test");
  return split == "train" ? dataset.train : split == "test" ? dataset.test : dataset.valid;
}

Dataset scan_dataset(const DatasetOptions& options) {
  FolderScan scan = scan_folders(options);
  Dataset set;
  set.layout = scan.layout;
  set.skipped = std::move(scan.skipped);
  const SplitFolder* train = scan.find("train");
  const SplitFolder& first = scan.splits.front();
  set.classes = options.classes.empty() ? class_names(first) : options.classes;
  if (!std::is_sorted(set.classes.begin(), set.classes.end())) {
    throw Error("the model's class names are not in sorted order: it was not saved by cudacards, or was changed since");
  }

  for (const SplitFolder& split : scan.splits) {
    refuse_unknown_classes(split, set.classes, options.classes.empty() ? printable(first.path) : "the model");
  }
  if (train != nullptr) {
    for (const ClassFolder& folder : train->classes) {
      if (!folder.files.empty() || !options.classes.empty()) continue;  // a model has learned the class elsewhere
      throw Error(fmt::format("the class folder {} holds no picture: add some or remove it", printable(folder.path)));
    }
    set.train = samples_of(*train, set.classes);
  }
  if (const SplitFolder* valid = scan.find("valid")) {
    set.valid = samples_of(*valid, set.classes);
    set.valid_source = "valid";
  } else if (train != nullptr && options.holdout > 0) {
    split_off_valid(set, options.holdout);
  }
  if (const SplitFolder* test = scan.find("test")) set.test = samples_of(*test, set.classes);
  return set;
}

Pictures Pictures::from_memory(int height, int width, const std::vector<int>& labels, Buffer pixels) {
  CUDACARDS_CHECK(pixels.size() ==
                  labels.size() * 3 * static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  Pictures pictures;
  pictures.height_ = height;
  pictures.width_ = width;
  for (const int label : labels) pictures.samples_.push_back({.label = label});
  pictures.digests_.resize(labels.size());
  pictures.pixels_ = std::move(pixels);
  return pictures;
}

const std::uint8_t* Pictures::pixels(std::int64_t i) const {
  const auto bytes = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_) * 3;
  return reinterpret_cast<const std::uint8_t*>(pixels_.data()) + static_cast<std::size_t>(i) * bytes;
}

Pictures decode_pictures(const std::vector<Sample>& samples, int height, int width, double bad_limit,
                         const std::vector<std::string>& classes, const WorkProgress& progress) {
  CUDACARDS_CHECK(height > 0 && width > 0);
  const std::size_t bytes = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  Pictures pictures;
  pictures.height_ = height;
  pictures.width_ = width;
  pictures.pixels_ = Buffer(samples.size() * bytes, "the decoded pictures");
  auto* pixels = pictures.pixels_.as<std::uint8_t>().data();

  std::vector<std::string> reasons(samples.size());  // empty: decoded
  std::vector<Sha256> digests(samples.size());
  parallel_items(static_cast<std::int64_t>(samples.size()), progress, [&](std::int64_t item) {
    const auto i = static_cast<std::size_t>(item);
    try {
      const std::vector<std::uint8_t> file = read_file(samples[i].path);
      digests[i] = sha256(file);
      decode_picture(file, height, width, pixels + i * bytes);
    } catch (const Error& error) {
      reasons[i] = error.what();
    }
  });

  std::vector<int> bad_labels;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!reasons[i].empty()) {
      pictures.bad_.push_back({printable(samples[i].path), reasons[i]});
      bad_labels.push_back(samples[i].label);
      continue;
    }
    const std::size_t slot = pictures.samples_.size();
    if (slot != i) std::memcpy(pixels + slot * bytes, pixels + i * bytes, bytes);
    pictures.samples_.push_back(samples[i]);
    pictures.digests_.push_back(digests[i]);
  }
  check_bad_files(pictures.bad_, pictures.samples_, samples.size(), bad_limit, bad_labels, classes);
  return pictures;
}

}  // namespace cudacards
