// cudacards weights: what a person sees of imports, inspections and checks, and that only fetch uses the network.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/graph/parameters.h"
#include "models/registry.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace testing_support;

class CliWeights : public testing::Test {
 protected:
  CliWeights() {
    const Graph graph = build_model("mobilenetv2", {.width_multiplier = 0.35f});
    Parameters parameters(graph);
    parameters.initialise(1);
    std::vector<TensorView> tensors;
    for (const Parameter& p : parameters.list())
      tensors.push_back(float_tensor(p.name, p.spec.shape.sizes(), parameters.values(p)));
    write_safetensors(folder_ / "foreign.safetensors", tensors, {});
  }
  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "weights");
    return run_program(Start{.arguments = std::move(arguments), .folder = folder_.path().string()});
  }
  const TemporaryFolder folder_;
};

TEST_F(CliWeights, ImportPrintsTheFileAndTellsWhatItFound) {
  const Outcome outcome = run({"import", "foreign.safetensors", "--out", "ours.safetensors"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "ours.safetensors\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("260 tensors in cudacards names: mobilenetv2, width 0.35, features only"),
                                 HasSubstr("no place for them: head/weights, head/bias")));
  const Outcome verified = run({"verify", "ours.safetensors"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(verified.out, "ours.safetensors: 260 tensors of mobilenetv2, features only\n");
}

TEST_F(CliWeights, InspectListsTensorsAndMetadata) {
  run({"import", "foreign.safetensors", "--out", "ours.safetensors"});
  const Outcome outcome = run({"inspect", "ours.safetensors"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("stem/conv/weights"), HasSubstr("(16, 3, 3, 3)"), HasSubstr("width: 0.35"),
                                 HasSubstr("safetensors: 260 tensors, 410208 values")));
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(CliWeights, VerifyNamesWhatIsWrongAndGoesOn) {
  run({"import", "foreign.safetensors", "--out", "ours.safetensors"});
  std::string bytes = read_bytes(folder_ / "ours.safetensors");
  bytes.replace(bytes.size() - 4, 4, "\xff\xff\xff\x7f");  // NaN
  write_bytes(folder_ / "nan.safetensors", bytes);
  const ExpectWarning warning("nan.safetensors");
  const Outcome outcome = run({"verify", "nan.safetensors", "ours.safetensors"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "ours.safetensors: 260 tensors of mobilenetv2, features only\n");
  EXPECT_THAT(outcome.err, HasSubstr("is nan in fp32"));
}

TEST_F(CliWeights, ListTellsWhatIsThere) {
  write_bytes(folder_ / "list", "[w]\ndescription='d'\nfile='w.bin'\nurl='https://x/w.bin'\nsize=1048576\nsha256='" +
                                    std::string(64, '0') + "'\nlicence='Apache-2.0'\n");
  EXPECT_THAT(run({"list", "--manifest", "list"}).out, AllOf(HasSubstr("1.0 MiB"), HasSubstr("not fetched")));
  write_bytes(folder_ / "w.bin", "x");
  EXPECT_THAT(run({"list", "--manifest", "list"}).out, HasSubstr("here"));
  EXPECT_THAT(run({"list"}).out, HasSubstr("mobilenet_v2_1.0_224_tflite"));
}

}  // namespace
}  // namespace cudacards
