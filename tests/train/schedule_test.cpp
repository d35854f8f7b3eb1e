// The learning rate's curve, and the metrics files.

#include "host/train/schedule.h"

#include <gtest/gtest.h>

#include "host/train/metrics.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

TEST(Schedule, IsConstantWhenAskedTo) {
  RunConfig config;
  config.rate = 0.5f;
  EXPECT_EQ(rate_at(config, 0, 10), 0.5f);
  EXPECT_EQ(rate_at(config, 12345, 10), 0.5f);
}

TEST(Schedule, WarmsUpLinearlyThenFallsAsACosine) {
  RunConfig config;
  config.rate = 1.0f;
  config.schedule = ScheduleKind::kCosine;
  config.warmup_epochs = 1;
  config.final_rate = 0.1f;
  config.epochs = 11;
  EXPECT_FLOAT_EQ(rate_at(config, 0, 10), 0.1f);
  EXPECT_FLOAT_EQ(rate_at(config, 4, 10), 0.5f);
  EXPECT_FLOAT_EQ(rate_at(config, 9, 10), 1.0f);
  EXPECT_FLOAT_EQ(rate_at(config, 10, 10), 1.0f);
  EXPECT_FLOAT_EQ(rate_at(config, 60, 10), 0.55f);  // half-way between 1 and 0.1
  EXPECT_FLOAT_EQ(rate_at(config, 110, 10), 0.1f);
  EXPECT_FLOAT_EQ(rate_at(config, 999, 10), 0.1f);
}

TEST(Metrics, SurviveARoundTripAndATornLastLine) {
  testing_support::TemporaryFolder folder;
  const EpochMetrics first{.epoch = 1,
                           .step = 239,
                           .loss = 0.1,
                           .accuracy = 1.0 / 3,
                           .val_loss = 2.5,
                           .val_accuracy = 0.75,
                           .rate = 1e-3,
                           .images_per_second = 120.5,
                           .seconds = 63.2};
  EpochMetrics second = first;
  second.epoch = 2;
  write_metrics(folder.path().native(), {first, second});
  const std::string path = folder / "metrics.jsonl";
  ASSERT_EQ(read_metrics(path).size(), 2u);
  EXPECT_EQ(read_metrics(path)[0].accuracy, first.accuracy);

  const std::string text = testing_support::read_bytes(path);
  testing_support::write_bytes(path, text.substr(0, text.size() - 20));
  EXPECT_EQ(read_metrics(path).size(), 1u);
}

}  // namespace
}  // namespace cudacards
