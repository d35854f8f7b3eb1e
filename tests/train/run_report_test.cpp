// What a run's page is collected from, where the machine is not the one that the run was made on.

#include "host/train/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/train/checkpoint.h"
#include "models/registry.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RunReportOfAFolder : public ::testing::Test {
 protected:
  RunReportOfAFolder() {
    checkpoint_.config.arch = "mlp";
    checkpoint_.config.image_size = 8;
    checkpoint_.config.batch = 2;
    checkpoint_.config.data = folder_ / "gone";
    checkpoint_.classes = {"ace", "two"};
  }

  RunReport on_the_cpu() {
    const Graph graph = build_model(checkpoint_.config.arch, model_spec(checkpoint_.config, 2));
    checkpoint_.preprocessing = preprocessing_of(graph);
    Parameters parameters(graph);
    parameters.initialise(1);
    save_best(folder_ / "last.safetensors", parameters, parameters.values(), checkpoint_);
    return collect_run_report(folder_.path().native(), {.device = {.kind = DeviceKind::kCpu}});
  }

  const testing_support::TemporaryFolder folder_;
  Checkpoint checkpoint_;
};

TEST_F(RunReportOfAFolder, MeasuresOnTheCpuInFp32WhatWasTrainedInTf32) {
  checkpoint_.config.device = DeviceKind::kCuda;
  checkpoint_.config.precision = Precision::kTf32;
  const RunReport report = on_the_cpu();
  ASSERT_TRUE(report.profile.has_value());
  EXPECT_EQ(report.profile->precision, Precision::kF32);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("gone")));
}

TEST_F(RunReportOfAFolder, SaysWhereTheRunsOwnStepsWereShorter) {
  RunConfig& config = checkpoint_.config;
  config.arch = "mobilenetv2";
  config.width = 0.35f;
  config.image_size = 32;
  config.weights = "weights.safetensors";
  config.freeze = {.part = Freeze::Part::kBackbone};
  config.augment = {};
  const char* note = "the run learned from features";
  EXPECT_THAT(on_the_cpu().notes, Contains(HasSubstr(note)));
  config.augment.shift = 0.1f;
  EXPECT_THAT(on_the_cpu().notes, Not(Contains(HasSubstr(note))));
}

}  // namespace
}  // namespace cudacards
