// A run's memory is known before it is taken, byte for byte, and a run that does not fit says what would.

#include "host/train/training_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include <fmt/format.h>

#include "host/runtime/memory.h"
#include "host/train/trainer.h"
#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/small_run.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::SmallRun;

RunConfig config_of(const std::string& arch) {
  RunConfig config;
  config.arch = arch;
  config.image_size = 32;
  config.batch = 64;
  return config;
}

Graph graph_of(const RunConfig& config) {
  return build_model(config.arch, {.height = config.image_size, .width = config.image_size, .classes = 53});
}

TEST(TrainingMemory, IsThePlansTheParametersAndThePictures) {
  for (const std::string arch : {"cnn", "mlp"}) {
    RunConfig config = config_of(arch);
    const Graph graph = graph_of(config);
    Parameters parameters(graph);
    const Plan plan = Plan::make(graph, parameters, plan_options(config));
    const std::size_t one = parameters.values().size_bytes();
    TrainingMemory memory = training_memory(graph, config, 10);
    EXPECT_EQ(memory.plan, plan.planned_bytes() - one) << arch;
    EXPECT_EQ(memory.parameters, 4 * one) << "values, gradients, two moments";
    EXPECT_EQ(memory.pictures, 10u * 32 * 32 * 3);
    config.optimizer.kind = OptimizerKind::kSgd;
    EXPECT_EQ(training_memory(graph, config, 10).parameters, 3 * one) << "one moment";
    config.ema_decay = 0.9f;
    EXPECT_EQ(training_memory(graph, config, 10).parameters, 4 * one) << "an average";
  }
}

/// With 100 pictures.
MemoryOfBatch memory_of(const std::string& arch) {
  return [arch](int batch) {
    RunConfig config = config_of(arch);
    config.batch = batch;
    return training_memory(graph_of(config), config, 100);
  };
}

TEST(RequireMemory, NamesNeedHaveAndTheLargestBatchThatFits) {
  const MemoryOfBatch need_of = memory_of("cnn");
  const TrainingMemory need = need_of(64);
  EXPECT_NO_THROW(require_memory(64, need_of, need.total()));
  const std::size_t have = need.total() - 1;
  const std::string text = error_text([&] { require_memory(64, need_of, have); });
  EXPECT_THAT(text, AllOf(HasSubstr("the run needs " + mebibytes(need.total())), HasSubstr(" are free")));
  std::smatch found;
  ASSERT_TRUE(std::regex_search(text, found, std::regex("the largest --batch that fits is (\\d+)"))) << text;
  const int batch = std::stoi(found[1]);
  EXPECT_LT(batch, 64);
  EXPECT_LE(need_of(batch).total(), have);
  EXPECT_GT(need_of(batch + 1).total(), have);
}

TEST(RequireMemory, SaysWhereNoBatchFits) {
  EXPECT_THAT(error_text([&] { require_memory(64, memory_of("mlp"), 1000); }),
              HasSubstr("no --batch fits: use a smaller --image-size"));
}

TEST(TrainingWithoutMemory, IsRefusedBeforeAnyPictureIsDecoded) {
  const SmallRun small;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(small.data())) {
    if (entry.is_regular_file()) testing_support::write_bytes(entry.path(), "no picture");
  }
  const RunConfig config = small.config("cnn", "poor");
  EXPECT_THAT(error_text([&] { train({.config = config, .quiet = true, .memory = 1 << 20}); }),
              AllOf(HasSubstr("out of memory before it begins"), HasSubstr("1.0 MiB are free")));
  EXPECT_FALSE(std::filesystem::exists(config.out));
}

}  // namespace
}  // namespace cudacards
