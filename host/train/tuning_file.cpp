#include "host/train/tuning_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/data/files.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/train/run_folder.h"
#include "host/train/user_cache.h"

namespace cudacards {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "cudacards-tuning-1";
constexpr std::uintmax_t kLargestFile = 64u << 20;

using Places = std::map<std::string, TuningTable>;

ordered_json to_value(const CandidateResult& candidate) {
  ordered_json value = {{"implementation", candidate.implementation}};
  if (candidate.refusal.empty()) {
    value["forward_seconds"] = candidate.forward_seconds;
    value["backward_seconds"] = candidate.backward_seconds;
    if (candidate.is_estimate) value["estimate"] = true;
    value["error_over_bound"] = candidate.error;
  } else {
    value["refused"] = candidate.refusal;
  }
  return value;
}

ordered_json to_value(const TuningTable& table) {
  ordered_json problems = ordered_json::object();
  for (const auto& [key, entry] : table.entries) {
    ordered_json candidates = ordered_json::array();
    for (const CandidateResult& candidate : entry.candidates) candidates.push_back(to_value(candidate));
    problems[key] = std::move(candidates);
  }
  return problems;
}

double seconds_at(const json& value, const char* key) {
  const double seconds = value.value(key, 0.0);
  if (!std::isfinite(seconds) || seconds < 0) throw json::other_error::create(0, "no time", nullptr);
  return seconds;
}

CandidateResult candidate_from(const json& value) {
  return {.implementation = value.at("implementation").get<std::string>(),
          .forward_seconds = seconds_at(value, "forward_seconds"),
          .backward_seconds = seconds_at(value, "backward_seconds"),
          .is_estimate = value.value("estimate", false),
          .error = seconds_at(value, "error_over_bound"),
          .refusal = value.value("refused", std::string())};
}

TuningTable table_from(const std::string& place, const json& problems) {
  TuningTable table{.place = place, .entries = {}};
  for (const auto& [key, candidates] : problems.items()) {
    TuningEntry& entry = table.entries[key];
    for (const json& candidate : candidates) entry.candidates.push_back(candidate_from(candidate));
  }
  return table;
}

/// The library reports what is wrong with a file by exceptions; here it is one question.
template <class Read>
auto read_or_null(const std::string& text, const Read& read) -> decltype(std::optional(read(json()))) {
  try {
    const json value = json::parse(text);
    if (value.at("format") != kFormat) return std::nullopt;
    return read(value);
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<Places> places_from(const std::string& text) {
  return read_or_null(text, [](const json& value) {
    Places places;
    for (const auto& [place, problems] : value.at("places").items()) places[place] = table_from(place, problems);
    return places;
  });
}

std::string to_json(const Places& places) {
  ordered_json value = {{"format", kFormat}, {"places", ordered_json::object()}};
  for (const auto& [place, table] : places) value["places"][place] = to_value(table);
  return value.dump(1) + "\n";
}

void note_once(const std::string& line) {
  static std::set<std::string> noted;
  if (noted.insert(line).second) log_note(line);
}

/// Empty where there is no file yet, and where it is not ours to understand: that is noted.
Places read_places(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  std::string reason = "is not a cache of this version";
  try {
    if (std::filesystem::file_size(path, error) <= kLargestFile && !error) {
      const std::vector<std::uint8_t> bytes = read_file(path);
      if (auto places = places_from({bytes.begin(), bytes.end()})) return *places;
    }
  } catch (const Error& failure) {
    reason = failure.what();
  }
  note_once(fmt::format("{}: {}; what was measured there is passed over", path, reason));
  return {};
}

/// Held while the file is read, extended and replaced, so that of two programs none loses what the other has added.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ >= 0) (void)::flock(fd_, LOCK_EX);  // where a file system has no locks, the last one wins
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

}  // namespace

std::string to_json(const TuningTable& table) {
  const ordered_json value = {{"format", kFormat}, {"place", table.place}, {"problems", to_value(table)}};
  return value.dump(1) + "\n";
}

std::optional<TuningTable> tuning_from_json(const std::string& text) {
  return read_or_null(
      text, [](const json& value) { return table_from(value.at("place").get<std::string>(), value.at("problems")); });
}

TuningCache TuningCache::of_user() {
  std::string folder = user_cache_folder();
  if (folder.empty())
    note_once("measurements are not kept for the next time: neither XDG_CACHE_HOME nor HOME names a folder");
  return TuningCache(std::move(folder));
}

std::string TuningCache::path() const { return folder_.empty() ? "" : folder_ + "/tuning.json"; }

TuningTable TuningCache::read(const std::string& place) const {
  if (folder_.empty()) return {place, {}};
  Places places = read_places(path());
  const auto found = places.find(place);
  return found == places.end() ? TuningTable{place, {}} : std::move(found->second);
}

void TuningCache::add(const TuningTable& table) const {
  if (folder_.empty()) return;
  try {
    make_cache_folder(folder_);
    const FolderLock lock(folder_ + "/tuning.lock");
    Places places = read_places(path());
    TuningTable& known = places[table.place];
    known.place = table.place;
    for (const auto& [key, entry] : table.entries) known.entries[key] = entry;
    write_text_file(path(), to_json(places));
  } catch (const Error& failure) {
    note_once(fmt::format("measurements are not kept for the next time: {}", failure.what()));
  }
}

}  // namespace cudacards
