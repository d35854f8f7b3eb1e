// profile: where a step's time goes, and summary --plan: what was chosen and why.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/train/trainer.h"
#include "tests/cli/program.h"
#include "tests/support/emulated_device.h"
#include "tests/support/temporary_folder.h"
#include "tests/train/small_run.h"

namespace cudacards {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace testing_support;

std::vector<std::string> names_of(const json& parts) {
  std::vector<std::string> names;
  for (const json& part : parts) names.push_back(part["name"]);
  return names;
}

json profile_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "profile");
  arguments.insert(arguments.end(), {"--json", "--steps", "2", "--no-tune"});
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out);
}

TEST(CliProfile, TakesAStepApart) {
  const json profile =
      profile_of({"cnn", "--device", "cpu", "--image-size", "32", "--batch", "4", "--precision", "fp32"});
  EXPECT_THAT(names_of(profile["parts"]),
              testing::ElementsAre("rescaling", "conv2d", "conv2d_1", "conv2d_2", "dropout", "dense", "dense_1", "loss",
                                   "check of the gradients", "optimizer"));
  double sum = 0;
  for (const json& part : profile["parts"]) {
    EXPECT_GT(part["forward_seconds"], 0) << part;
    const bool has_backward = part["name"] != "rescaling" && part["implementation"] != "";
    EXPECT_EQ(part["backward_seconds"] > 0.0, has_backward) << part;
    sum += part["forward_seconds"].get<double>() + part["backward_seconds"].get<double>();
  }
  EXPECT_LT(sum, 1.5 * profile["watched_step_seconds"].get<double>()) << "medians, not a step";
  EXPECT_GT(profile["step_seconds"], 0);
  // conv2d_2: 8 x 8 x 128 results of 3 x 3 x 64 products, four pictures, forward and both gradients.
  EXPECT_EQ(profile["parts"][3]["flops"], 3.0 * 4 * 2 * 8 * 8 * 128 * 9 * 64);
  // conv2d takes no gradient of the pictures.
  EXPECT_EQ(profile["parts"][1]["flops"], 2.0 * 4 * 2 * 32 * 32 * 32 * 9 * 3);
}

TEST(CliProfile, KnowsInference) {
  const json profile = profile_of({"mlp", "--device", "cpu", "--image-size", "32", "--batch", "4", "--inference"});
  EXPECT_EQ(profile["mode"], "inference");
  EXPECT_THAT(names_of(profile["parts"]), Not(Contains("optimizer")));
  for (const json& part : profile["parts"]) EXPECT_EQ(part["backward_seconds"], 0) << part;
}

TEST(CliProfile, ProfilesARunAsItWasTrained) {
  const SmallRun small;
  RunConfig config = small.config("mlp", "run");
  config.epochs = 1;
  config.impl.add("dense=reference", "--impl");
  const std::string run = train({.config = config, .quiet = true}).run;
  const json profile = profile_of({run});
  EXPECT_EQ(profile["batch"], config.batch);
  EXPECT_EQ(profile["image_size"], 32);
  EXPECT_EQ(profile["threads"], 2);
  const auto dense = std::ranges::find(profile["parts"], "dense", [](const json& part) { return part["name"]; });
  EXPECT_EQ((*dense)["implementation"], "reference");
  EXPECT_EQ(profile_of({run, "--impl", "dense=onednn", "--batch", "3"})["batch"], 3);
}

TEST(CliProfile, ShowsATable) {
  const Outcome outcome = run_program({"profile", "mlp", "--device", "cpu", "--image-size", "16", "--batch", "2",
                                       "--steps", "2", "--precision", "fp32"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* words : {"mlp training, batch 2, 16 x 16, fp32, CPU", "Backward ms", "GFLOP/s", "GB/s", "Share",
                            "dense_2", "optimizer", "Sum of the parts:", "Step, as it runs:"})
    EXPECT_THAT(outcome.out, HasSubstr(words));
}

TEST(CliProfile, CountsOnTheEmulatorAndTimesNothing) {
  if (testing::emulated_device() == nullptr) GTEST_SKIP() << "no emulator in this build";
  const std::vector<std::string> tiny = {"profile", "mlp",     "--device", "emulated",  "--image-size",
                                         "8",       "--batch", "2",        "--classes", "5"};
  const Outcome table = run_program(tiny);
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("how long it takes says nothing about any GPU"));
  EXPECT_THAT(table.out, Not(HasSubstr(" ms")));
  std::vector<std::string> as_json = tiny;
  as_json.emplace_back("--json");
  const json profile = json::parse(run_program(as_json).out);
  EXPECT_FALSE(profile.contains("step_seconds"));
  for (const json& part : profile["parts"]) {
    EXPECT_FALSE(part.contains("forward_seconds"));
    EXPECT_GT(part["launches"], 0) << part;
    EXPECT_GT(part["accesses"], 0) << part;
    EXPECT_GE(part["sectors"], part["sectors_needed"]) << part;
    EXPECT_GT(part["sectors_needed"], 0) << part;
  }
}

class CliPlan : public ::testing::Test {
 protected:
  Outcome plan(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"summary", "--device", "cpu", "--plan", "--arch", "mlp", "--image-size", "16",
                                         "--batch", "4", "--precision", "fp32"});
    return run_program({.arguments = arguments, .environment = {"XDG_CACHE_HOME=" + folder_ / "cache"}});
  }
  TemporaryFolder folder_;
};

TEST_F(CliPlan, SaysWhyEachNodeHasItsImplementation) {
  EXPECT_THAT(plan({}).out, HasSubstr("list order"));
  EXPECT_THAT(plan({}).out, Not(HasSubstr("measured")));
  const Outcome tuned = plan({"--tune"});
  EXPECT_THAT(tuned.err, HasSubstr("measuring the implementations of dense ("));
  EXPECT_THAT(tuned.out, HasSubstr("measured: "));
  EXPECT_THAT(tuned.out, HasSubstr("; reference about "));
  const Outcome again = plan({"--tune"});
  EXPECT_EQ(again.out, tuned.out) << "from the cache";
  EXPECT_THAT(again.err, IsEmpty());
  const Outcome asked = plan({"--impl", "dense=onednn", "--impl", "dense_1=reference"});
  EXPECT_THAT(asked.out, HasSubstr("onednn          asked for"));
}

TEST_F(CliPlan, SaysItInJsonToo) {
  const json nodes = json::parse(plan({"--tune", "--json", "--impl", "dense_1=onednn"}).out)["plan"];
  for (const json& node : nodes) {
    const std::string reason = node["choice"]["reason"];
    if (node["name"] == "dense") {
      EXPECT_EQ(reason, "measured");
      ASSERT_GE(node["choice"]["measured"].size(), 3u);
      for (const json& candidate : node["choice"]["measured"]) {
        EXPECT_GT(candidate["forward_seconds"], 0);
        EXPECT_LE(candidate["error_over_bound"], 1);
      }
    }
    if (node["name"] == "dense_1") EXPECT_EQ(reason, "asked");
    if (node["name"] == "rescaling") EXPECT_EQ(reason, "order");
  }
}

TEST_F(CliPlan, KeepsNothingWithoutAHome) {
  const Outcome outcome = run_program(
      {.arguments = {"summary", "--arch", "mlp", "--image-size", "8", "--batch", "2", "--device", "cpu", "--tune"},
       .environment = {"XDG_CACHE_HOME", "HOME"}});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("neither XDG_CACHE_HOME nor HOME"));
}

}  // namespace
}  // namespace cudacards
