#pragma once
// Measurements as JSON: the user's cache, a run's choices.json, a checkpoint's metadata. docs/formats.md has the
// fields.

#include <optional>
#include <string>

#include "host/ops/tuning_table.h"

namespace cudacards {

/// One place's.
std::string to_json(const TuningTable& table);
/// Null where the text is not what to_json() writes.
std::optional<TuningTable> tuning_from_json(const std::string& text);

/// The file of all places that this person has measured in. What cannot be read or written is noted, once a program,
/// and done without: a cache never makes a command fail.
class TuningCache {
 public:
  /// $XDG_CACHE_HOME/cudacards or ~/.cache/cudacards; a cache that keeps nothing where neither is known.
  static TuningCache of_user();
  /// Empty: keeps nothing.
  explicit TuningCache(std::string folder) : folder_(std::move(folder)) {}

  /// What is known of the place; empty where nothing is.
  TuningTable read(const std::string& place) const;
  /// Adds the table's entries to those that are in the file by now, whoever wrote them.
  void add(const TuningTable& table) const;

  /// The file; empty where nothing is kept.
  std::string path() const;

 private:
  std::string folder_;
};

}  // namespace cudacards
