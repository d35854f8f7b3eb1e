#pragma once
// Features on disk: safetensors in the user's cache folder, one file a key.

#include <optional>
#include <string>

#include "host/train/features.h"

namespace cudacards {

class FeatureCache {
 public:
  /// Empty: keeps nothing.
  explicit FeatureCache(std::string folder) : folder_(std::move(folder)) {}
  static FeatureCache of_user();

  /// The file of a key; empty where nothing is kept.
  std::string path(const std::string& key) const;

  /// Null where there is none of this key with so many rows. What is damaged, cut short, or another key's is noted in
  /// one line.
  std::optional<SplitFeatures> read(const std::string& key, std::int64_t width, std::int64_t train_rows,
                                    std::int64_t valid_rows) const;
  /// Whole or not at all; then removes the oldest files beyond kFiles. What goes wrong is noted in one line.
  void write(const std::string& key, const SplitFeatures& features) const;

  static constexpr std::size_t kFiles = 8;  // 40 MB each for the cards

 private:
  std::string folder_;
};

}  // namespace cudacards
