// `data audit` says which labels a model doubts, for people and for programs, or in one line why it cannot.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/pictures.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

using namespace testing_support;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CliDataAudit : public testing::Test {
 protected:
  CliDataAudit() {
    write_checkpoint(model_, "mlp", 16, {"ace", "two"});
    write_class(folder_.path() / "data" / "train" / "ace", 3, 1);
    write_class(folder_.path() / "data" / "train" / "two", 2, 2);
    write_class(folder_.path() / "data" / "valid" / "two", 1, 1);  // its picture is the first of train's aces
  }
  Outcome audit(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"data", "audit", "data", "--model", model_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(Start{.arguments = arguments, .folder = folder_.path().string()});
  }
  const TemporaryFolder folder_;
  const std::string model_ = folder_ / "model.safetensors";
};

TEST_F(CliDataAudit, PrintsDocumentedJson) {
  const Outcome outcome = audit({"--json", "--top", "3"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(lines_of(outcome.out), SizeIs(1));
  const json found = json::parse(outcome.out);
  EXPECT_EQ(found["pictures"], 6);
  EXPECT_EQ(found["knows_what_was_learned"], false);
  EXPECT_EQ(found["contradictions"],
            json::parse(R"([[{"path": "data/train/ace/000.jpg", "split": "train", "class": "ace"},
                             {"path": "data/valid/two/000.jpg", "split": "valid", "class": "two"}]])"));
  ASSERT_THAT(found["ranking"], SizeIs(3));
  const json& first = found["ranking"][0];
  EXPECT_EQ(first["rank"], 1);
  for (const char* key : {"path", "split", "label", "rival", "suspect", "learned"}) EXPECT_TRUE(first.contains(key));
  EXPECT_NEAR(first["probability_of_label"].get<double>() - first["probability_of_rival"].get<double>(),
              first["margin"].get<double>(), 1e-9);
  EXPECT_LE(first["margin"].get<double>(), found["ranking"][1]["margin"].get<double>());
  EXPECT_LT(first["margin"].get<double>(), 0) << "of one picture under both labels one must be doubted";
  EXPECT_GE(found["disagreements"], 1);
}

TEST_F(CliDataAudit, PrintsARankingForPeople) {
  const Outcome outcome = audit({"--top", "2", "--html", "page.html"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("The same file under two labels: 1\n  data/train/ace/000.jpg\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n   1 "));
  EXPECT_THAT(outcome.out, HasSubstr("6 pictures: the model disagrees with "));
  EXPECT_THAT(outcome.err, HasSubstr("other data"));
  EXPECT_THAT(read_bytes(folder_ / "page.html"), HasSubstr("data:image/jpeg"));
}

TEST_F(CliDataAudit, NamesBadFilesAndGoesOn) {
  write(folder_.path() / "data/train/two/bad.jpg", {1, 2, 3});
  const ExpectWarning bad("skipped data/train/two/bad.jpg: not a picture");
  EXPECT_EQ(audit({}).exit_code, 0);
}

TEST_F(CliDataAudit, RefusesWhatCannotBe) {
  const auto expect = [&](const Outcome& outcome, int exit_code, const char* message) {
    EXPECT_EQ(outcome.exit_code, exit_code);
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(lines_of(outcome.err), SizeIs(1));
    EXPECT_THAT(outcome.out, IsEmpty());
  };
  expect(audit({"--html", "gone/page.html"}), 1, "cannot write there");
  expect(audit({"--top", "0"}), 2, "--top");
  expect(run_program({"data", "audit", "data"}), 2, "--model is required");
  fs::rename(folder_ / "data/train/two", folder_ / "data/train/three");
  expect(audit({}), 1, "\"three\"");
  fs::remove_all(folder_ / "data/train");
  fs::remove_all(folder_ / "data/valid");
  expect(audit({}), 1, "no card classes in data");
  fs::create_directories(folder_ / "data/train/ace");
  expect(audit({}), 1, "data: holds no picture");
  write(folder_.path() / "data/train/ace/bad.jpg", {1, 2, 3});
  expect(audit({}), 1, "no picture can be judged: data/train/ace/bad.jpg (not a picture");
}

}  // namespace
}  // namespace cudacards
