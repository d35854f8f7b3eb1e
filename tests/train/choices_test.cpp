// A run keeps the choices that it has begun with.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "host/ops/place.h"
#include "host/runtime/threads.h"
#include "host/train/checkpoint.h"
#include "host/train/trainer.h"
#include "host/train/tuning_file.h"
#include "models/registry.h"
#include "tests/support/small_run.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensor_hash.h"

namespace cudacards {
namespace {

using testing_support::hash_of_tensors;
using testing_support::read_bytes;
using testing_support::SmallRun;

class ChoicesTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1); }
  void TearDown() override { unsetenv("XDG_CACHE_HOME"); }

  RunConfig config(const std::string& name, Tune tune = Tune::kOn) {
    RunConfig c = small_.config("mlp", name);
    c.precision = Precision::kF32;
    c.tune = tune;
    return c;
  }

  /// Pretends that measuring has found `favourite` the fastest wherever it is.
  void favour(const std::string& favourite) {
    const RunConfig c = config("");
    set_threads(c.threads);
    TuningTable table = TuningCache::of_user().read(place_of(cpu_device()));
    ASSERT_FALSE(table.entries.empty());
    for (auto& [key, entry] : table.entries) {
      for (CandidateResult& candidate : entry.candidates)
        candidate.forward_seconds = candidate.implementation == favourite ? 1e-9 : 1;
    }
    TuningCache::of_user().add(table);
  }

  TrainResult run(const RunConfig& c) { return train({.config = c, .quiet = true}); }

  std::string begin_and_stop(const RunConfig& c) {
    std::atomic<int> stop = 0;
    const TrainResult first =
        train({.config = c, .quiet = true, .stop_requested = &stop, .on_step = [&](std::uint64_t step) {
                 stop = step >= 3;
               }});
    EXPECT_TRUE(first.stopped);
    return first.run;
  }

  static std::string weights(const std::string& run) { return hash_of_tensors(run + "/last.safetensors"); }

  testing_support::TemporaryFolder folder_;
  SmallRun small_;
};

TEST_F(ChoicesTest, AreMeasuredOnceAndKeptWithTheRun) {
  const std::string first = run(config("first")).run;
  const Checkpoint checkpoint = read_checkpoint(first + "/last.safetensors");
  EXPECT_EQ(checkpoint.choices.place, place_of(cpu_device()));
  EXPECT_FALSE(checkpoint.choices.entries.empty());
  EXPECT_EQ(tuning_from_json(read_bytes(first + "/choices.json")), checkpoint.choices);
  EXPECT_EQ(read_checkpoint(first + "/best.safetensors").choices, checkpoint.choices);
  EXPECT_EQ(read_checkpoint(run(config("second")).run + "/last.safetensors").choices, checkpoint.choices)
      << "times that were measured anew would differ";
}

TEST_F(ChoicesTest, AreRepeatedByAResumedRunWhateverTheCacheSaysByThen) {
  (void)run(config("fills the cache"));
  favour("reference");
  const std::string whole = run(config("whole")).run;
  const std::string parts = begin_and_stop(config("parts"));
  favour("onednn");
  EXPECT_NE(weights(run(config("other")).run), weights(whole)) << "the choice shows in the bytes";
  EXPECT_EQ(weights(train({.resume = parts, .quiet = true}).run), weights(whole));
  std::filesystem::remove_all(folder_ / "cache");
  const std::string later = begin_and_stop(config("later"));  // measures again
  (void)train({.resume = later, .quiet = true});
  EXPECT_EQ(read_checkpoint(later + "/last.safetensors").choices,
            tuning_from_json(read_bytes(later + "/choices.json")));
}

TEST_F(ChoicesTest, AreTheListsOrderWithoutTuning) {
  (void)run(config("fills the cache"));
  favour("reference");
  const std::string plain = run(config("plain", Tune::kAuto)).run;
  EXPECT_TRUE(read_checkpoint(plain + "/last.safetensors").choices.entries.empty());
  EXPECT_EQ(read_checkpoint(plain + "/last.safetensors").config.tune, Tune::kOff) << "the effective one is kept";
  EXPECT_FALSE(std::filesystem::exists(plain + "/choices.json"));
  EXPECT_EQ(weights(plain), weights(run(config("off", Tune::kOff)).run));
  EXPECT_NE(weights(plain), weights(run(config("on")).run)) << "the cache is for those who tune";
}

TEST_F(ChoicesTest, FollowTheRulesThatTheRunKeeps) {
  RunConfig c = config("rules", Tune::kOff);
  c.impl.add("dense=reference", "--impl");
  const std::string whole = run(c).run;
  EXPECT_NE(weights(whole), weights(run(config("plain", Tune::kOff)).run));
  c.out = small_.run("parts");
  EXPECT_EQ(weights(train({.resume = begin_and_stop(c), .quiet = true}).run), weights(whole));
}

}  // namespace
}  // namespace cudacards
