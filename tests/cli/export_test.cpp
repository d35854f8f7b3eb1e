// cudacards export: what a person sees, and what is left where it is stopped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "host/export/onnx.h"
#include "tests/cli/program.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using namespace testing_support;

class CliExport : public testing::Test {
 protected:
  Start start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "export");
    return Start{.arguments = std::move(arguments), .folder = folder_.path().string()};
  }
  Outcome run(std::vector<std::string> arguments) const { return run_program(start(std::move(arguments))); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    return names;
  }
  const TemporaryFolder folder_;
};

TEST_F(CliExport, PrintsTheFilesOfARun) {
  write_checkpoint(folder_ / "best.safetensors", "cnn", 16, {"a", "b"});
  std::vector<std::string> arguments = {".", "--safetensors", "theirs.safetensors"};
  if (missing_onnx().empty()) arguments.insert(arguments.end(), {"--onnx", "net.onnx"});
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, missing_onnx().empty() ? "net.onnx\ntheirs.safetensors\n" : "theirs.safetensors\n");
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(CliExport, WantsToBeToldWhatToWrite) {
  const Outcome nothing = run({"x"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--onnx F, --safetensors F or both"));
  const Outcome same = run({"x", "--onnx", "f", "--safetensors", "./f"});
  EXPECT_EQ(same.exit_code, 2);
  EXPECT_THAT(same.err, HasSubstr("name the same file, f"));
}

TEST_F(CliExport, SaysWhatFailed) {
  EXPECT_THAT(run({"nowhere", "--safetensors", "f"}).err, HasSubstr("nowhere"));
  write_checkpoint(folder_ / "best.safetensors", "cnn", 16, {"a", "b"});
  const Outcome outcome = run({".", "--safetensors", "missing/f"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("create the folder first"));
  EXPECT_THAT(files(), ElementsAre("best.safetensors"));
}

TEST_F(CliExport, SaysInOneLineWhatThisBuildLacks) {
  if (missing_onnx().empty()) GTEST_SKIP() << "this build can write ONNX";
  const Outcome outcome = run({"nowhere", "--onnx", "f"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "cudacards: " + missing_onnx() + "\n");
}

TEST_F(CliExport, LeavesNothingHalfDoneWhereItIsStopped) {
  write_checkpoint(folder_ / "best.safetensors", "mlp", 112, {"a", "b"});
  write_bytes(folder_ / "theirs.safetensors", "old");
  const auto writes = [&](const std::string&) { return files().size() > 2; };  // a temporary is there
  const Outcome outcome = run_and_signal(start({".", "--safetensors", "theirs.safetensors"}), writes, SIGINT);
  EXPECT_THAT(files(), UnorderedElementsAre("best.safetensors", "theirs.safetensors"));
  if (outcome.exit_code == 0) return;  // it was faster
  EXPECT_EQ(outcome.exit_code, 128 + SIGINT) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stopped before everything was written"));
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_EQ(read_bytes(folder_ / "theirs.safetensors"), "old");
}

}  // namespace
}  // namespace cudacards
