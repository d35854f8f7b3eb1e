#include "host/train/feature_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/runtime/sha256.h"
#include "host/train/user_cache.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "cudacards-features-1";
constexpr const char* kSuffix = ".safetensors";

std::string digest_of(const Features& features) {
  const auto bytes = std::as_bytes(std::span(features.values));
  return hex(sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
}

std::string entry(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

Features read_split(const SafetensorsFile& file, const std::string& split, std::int64_t rows, std::int64_t width) {
  Features features{.width = width, .values = file.read_floats(split, {rows, width})};
  if (digest_of(features) != entry(file, split + "_sha256")) throw Error(fmt::format("{} was changed", split));
  return features;
}

void remove_oldest(const fs::path& folder, std::size_t keep) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
    if (file->path().extension() == kSuffix) files.emplace_back(file->last_write_time(error), file->path());
  }
  std::ranges::sort(files);
  for (std::size_t i = 0; i + keep < files.size(); ++i) fs::remove(files[i].second, error);
}

}  // namespace

FeatureCache FeatureCache::of_user() {
  const std::string folder = user_cache_folder();
  if (!folder.empty()) return FeatureCache(folder + "/features");
  log_note("features are not kept for the next time: neither XDG_CACHE_HOME nor HOME names a folder");
  return FeatureCache("");
}

std::string FeatureCache::path(const std::string& key) const {
  return folder_.empty() ? "" : fmt::format("{}/{}{}", folder_, key, kSuffix);
}

std::optional<SplitFeatures> FeatureCache::read(const std::string& key, std::int64_t width, std::int64_t train_rows,
                                                std::int64_t valid_rows) const {
  std::error_code error;
  if (folder_.empty() || !fs::exists(path(key), error)) return std::nullopt;
  try {
    const SafetensorsFile file = SafetensorsFile::open(path(key));
    if (entry(file, "format") != kFormat || entry(file, "key") != key)
      throw Error(fmt::format("{}: has features of something else", path(key)));
    return SplitFeatures{read_split(file, "train", train_rows, width), read_split(file, "valid", valid_rows, width)};
  } catch (const Error& failure) {
    log_note(fmt::format("cached features are computed again: {}", failure.what()));
    return std::nullopt;
  }
}

void FeatureCache::write(const std::string& key, const SplitFeatures& features) const {
  if (folder_.empty()) return;
  const auto tensor = [](const char* split, const Features& f) {
    return float_tensor(split, {static_cast<std::int64_t>(f.values.size()) / f.width, f.width}, f.values);
  };
  try {
    make_cache_folder(folder_);
    write_safetensors(path(key), {tensor("train", features.train), tensor("valid", features.valid)},
                      {{"format", kFormat},
                       {"key", key},
                       {"train_sha256", digest_of(features.train)},
                       {"valid_sha256", digest_of(features.valid)}});
    remove_oldest(folder_, kFiles);
  } catch (const Error& failure) {
    log_note(fmt::format("features are not kept for the next time: {}", failure.what()));
  }
}

}  // namespace cudacards
