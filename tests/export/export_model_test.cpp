// From a checkpoint to files: whole or not at all, whatever the disk does.

#include "host/train/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "host/export/onnx.h"
#include "tests/support/error_text.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using namespace testing_support;

class ExportModel : public testing::Test {
 protected:
  ExportModel() { write_checkpoint(folder_ / "best.safetensors", "cnn", 16, {"a", "b"}); }
  ExportOptions options(const std::string& onnx, const std::string& safetensors) const {
    const auto path = [&](const std::string& name) { return name.empty() ? "" : folder_ / name; };
    return {folder_ / "best.safetensors", path(onnx), path(safetensors), "1.2"};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }
  const TemporaryFolder folder_;
};

TEST_F(ExportModel, WritesAStateDictOfTheCheckpoint) {
  export_model(options("", "theirs.safetensors"));
  const SafetensorsFile theirs = SafetensorsFile::open(folder_ / "theirs.safetensors");
  const SafetensorsFile ours = SafetensorsFile::open(folder_ / "best.safetensors");
  EXPECT_EQ(theirs.metadata().at("classes"), R"(["a","b"])");
  EXPECT_EQ(theirs.metadata().at("preprocessing.resize"), ours.metadata().at("preprocessing.resize"));
  EXPECT_EQ(theirs.read_floats("dense_1.weight", {2, 128}), ours.read_floats("dense_1/weights", {2, 128}));
}

TEST_F(ExportModel, WritesBoth) {
  if (!missing_onnx().empty()) GTEST_SKIP() << missing_onnx();
  export_model(options("net.onnx", "theirs.safetensors"));
  EXPECT_GT(read_bytes(folder_ / "net.onnx").size(), std::size_t{4} * 93248);  // the parameters
  EXPECT_EQ(files(), 3u);
}

TEST_F(ExportModel, SaysWhatIsMissingBeforeItReads) {
  if (missing_onnx().empty()) GTEST_SKIP() << "this build can write ONNX";
  ExportOptions nowhere = options("net.onnx", "");
  nowhere.checkpoint = "nowhere";
  EXPECT_EQ(error_text([&] { export_model(nowhere); }), missing_onnx());
}

TEST_F(ExportModel, LeavesOldFilesWholeOnAFullDisk) {
  const bool has_onnx = missing_onnx().empty();
  write_bytes(folder_ / "net.onnx", "old");
  write_bytes(folder_ / "theirs.safetensors", "old");
  FileCalls full = system_file_calls();
  full.write = [](int, const void*, std::size_t) -> ssize_t {
    errno = ENOSPC;
    return -1;
  };
  const std::string error =
      error_text([&] { export_model(options(has_onnx ? "net.onnx" : "", "theirs.safetensors"), full); });
  EXPECT_THAT(error, AllOf(StartsWith("writing "), HasSubstr("the previous file is intact: free some space")));
  EXPECT_EQ(read_bytes(folder_ / "net.onnx") + read_bytes(folder_ / "theirs.safetensors"), "oldold");
  EXPECT_EQ(files(), 3u);
}

}  // namespace
}  // namespace cudacards
