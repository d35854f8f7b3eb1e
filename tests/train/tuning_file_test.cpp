// The cache of measurements: what is written is read, what is damaged is passed over, and nobody's entries get lost.

#include "host/train/tuning_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "tests/support/log_watch.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing_support::logged_notes;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

TuningTable table(const std::string& place = "cpu: here", const std::string& key = "dense 5 | (6, 7) fp32") {
  return {
      .place = place,
      .entries = {{key,
                   {{{.implementation = "onednn", .forward_seconds = 0.1, .backward_seconds = 1.0 / 3, .error = 0.25},
                     {.implementation = "bad", .refusal = "disagrees with reference by 12 times"},
                     {.implementation = "reference", .forward_seconds = 2, .is_estimate = true}}}}}};
}

std::size_t notes_with(const std::string& part) {
  const auto notes = logged_notes();
  return static_cast<std::size_t>(
      std::ranges::count_if(notes, [&](const auto& note) { return note.find(part) != std::string::npos; }));
}

TEST(TuningFile, ReadsWhatItWrites) {
  EXPECT_EQ(tuning_from_json(to_json(table())), table());
  EXPECT_EQ(tuning_from_json(to_json(TuningTable{"here", {}})), (TuningTable{"here", {}}));
}

TEST(TuningFile, ReadsNothingElse) {
  const std::string good = to_json(table());
  for (std::size_t cut = 0; cut + 2 < good.size(); cut += 7)
    EXPECT_EQ(tuning_from_json(good.substr(0, cut)), std::nullopt);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return tuning_from_json(text);
  };
  EXPECT_EQ(with("cudacards-tuning-1", "cudacards-tuning-2"), std::nullopt);
  EXPECT_EQ(with("\"onednn\"", "17"), std::nullopt);
  EXPECT_EQ(with("0.1,", "-0.1,"), std::nullopt) << "no time is negative";
  EXPECT_EQ(with("0.1,", "\"0.1\","), std::nullopt);
  EXPECT_EQ(with("\"implementation\"", "\"name\""), std::nullopt);
  EXPECT_EQ(tuning_from_json("[]"), std::nullopt);
  EXPECT_EQ(tuning_from_json("{}"), std::nullopt);
}

TEST(TuningCacheTest, KeepsPlacesApart) {
  const TemporaryFolder folder;
  const TuningCache cache(folder / "a/b");
  EXPECT_EQ(cache.read("cpu: here"), (TuningTable{"cpu: here", {}}));
  cache.add(table());
  cache.add(table("cuda: there", "another"));
  cache.add(table("cpu: here", "a second"));
  EXPECT_EQ(cache.read("cpu: here").entries.size(), 2u);
  EXPECT_EQ(cache.read("cuda: there"), table("cuda: there", "another"));
  EXPECT_TRUE(logged_notes().empty());
}

TEST(TuningCacheTest, PassesOverADamagedFileWithOneNoteAndReplacesIt) {
  const TemporaryFolder folder;
  const TuningCache cache(folder.path().native());
  for (const std::string& damage : {std::string("{ \"format\": \"cudacards-tu"), std::string("\0\xff\x80", 3),
                                    std::string(R"({"format": "somebody-elses", "places": {}})")}) {
    write_bytes(cache.path(), damage);
    EXPECT_TRUE(cache.read("cpu: here").entries.empty());
    EXPECT_TRUE(cache.read("cpu: here").entries.empty());
  }
  EXPECT_EQ(notes_with("what was measured there is passed over"), 1u);
  cache.add(table());
  EXPECT_EQ(cache.read("cpu: here"), table());
}

TEST(TuningCacheTest, IsDoneWithoutWhereItCannotBeWritten) {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "in the way");
  const TuningCache cache(folder / "file/below");
  cache.add(table());
  cache.add(table());
  EXPECT_EQ(notes_with("measurements are not kept for the next time: "), 1u);
  EXPECT_TRUE(cache.read("cpu: here").entries.empty());
}

class Environment {
 public:
  explicit Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(TuningCacheTest, IsWhereTheUserKeepsCaches) {
  const Environment home("HOME", "/home/somebody");
  {
    const Environment cache("XDG_CACHE_HOME", "/elsewhere");
    EXPECT_EQ(TuningCache::of_user().path(), "/elsewhere/cudacards/tuning.json");
  }
  {
    const Environment relative("XDG_CACHE_HOME", "not/absolute");
    EXPECT_EQ(TuningCache::of_user().path(), "/home/somebody/.cache/cudacards/tuning.json");
  }
  const Environment none("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(TuningCache::of_user().path(), "/home/somebody/.cache/cudacards/tuning.json");
  const Environment homeless("HOME", nullptr);
  EXPECT_EQ(TuningCache::of_user().path(), "");
  TuningCache::of_user().add(table());
  EXPECT_EQ(notes_with("neither XDG_CACHE_HOME nor HOME"), 1u);
}

// Two programs at once.
TEST(TuningCacheTest, LosesNothingOfManyWriters) {
  const TemporaryFolder folder;
  const TuningCache cache(folder / "cache");
  constexpr int kWriters = 6, kEntries = 8;
  std::vector<pid_t> writers;
  for (int w = 0; w < kWriters; ++w) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (int i = 0; i < kEntries; ++i) cache.add(table("cpu: here", fmt::format("{}-{}", w, i)));
      _exit(0);
    }
    writers.push_back(pid);
  }
  for (const pid_t pid : writers) {
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(cache.read("cpu: here").entries.size(), static_cast<std::size_t>(kWriters * kEntries));
}

}  // namespace
}  // namespace cudacards
