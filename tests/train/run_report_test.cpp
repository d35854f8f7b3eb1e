// What a run's page is collected from, where the machine is not the one that the run was made on.

#include "host/train/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/train/checkpoint.h"
#include "models/registry.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RunReportOfAFolder, MeasuresOnTheCpuInFp32WhatWasTrainedInTf32) {
  const testing_support::TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.config.arch = "mlp";
  checkpoint.config.image_size = 8;
  checkpoint.config.batch = 2;
  checkpoint.config.data = folder / "gone";
  checkpoint.config.device = DeviceKind::kCuda;
  checkpoint.config.precision = Precision::kTf32;
  checkpoint.classes = {"ace", "two"};
  const Graph graph = build_model("mlp", model_spec(checkpoint.config, 2));
  checkpoint.preprocessing = preprocessing_of(graph);
  Parameters parameters(graph);
  parameters.initialise(1);
  save_best(folder / "last.safetensors", parameters, parameters.values(), checkpoint);

  const RunReport report = collect_run_report(folder.path().native(), {.device = {.kind = DeviceKind::kCpu}});
  ASSERT_TRUE(report.profile.has_value());
  EXPECT_EQ(report.profile->precision, Precision::kF32);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("gone")));
}

}  // namespace
}  // namespace cudacards
