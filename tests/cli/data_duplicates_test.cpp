// `data duplicates` names what is twice in a data set, for people and for programs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/data/deck/deck.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using namespace testing_support;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class CliDataDuplicates : public testing::Test {
 protected:
  CliDataDuplicates() {
    put("train/king/1.jpg", 10, 0);
    put("train/queen/<b>.jpg", 10, 0);
    put("valid/king/1.jpg", 10, 0);
    put("train/king/2.jpg", 20, 1);
  }
  void put(const std::string& name, int card, int index) const {
    write(folder_.path() / "data" / name, draw_card_jpeg({.size = 64}, DeckSplit::kTrain, card, index));
  }
  Outcome duplicates(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"data", "duplicates", "data"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(Start{.arguments = arguments, .folder = folder_.path().string()});
  }
  const TemporaryFolder folder_;
};

TEST_F(CliDataDuplicates, NamesLeaksFirst) {
  const Outcome outcome = duplicates({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_THAT(outcome.out, StartsWith("in two splits and under two classes:\n"
                                      "  0.00  train, queen: data/train/queen/<b>.jpg\n"
                                      "        valid, king: data/valid/king/1.jpg\n"
                                      "in two splits:\n"));
  EXPECT_THAT(outcome.out, HasSubstr("3 near duplicates among 4 pictures: 2 in two splits, 2 under two classes\n"));
}

TEST_F(CliDataDuplicates, PrintsDocumentedJson) {
  const Outcome outcome = duplicates({"--json", "--top", "2"});
  ASSERT_THAT(lines_of(outcome.out), SizeIs(2)) << outcome.err;
  EXPECT_EQ(json::parse(lines_of(outcome.out)[0]),
            json({{"across_splits", true},
                  {"across_classes", true},
                  {"difference", 0.0},
                  {"first", {{"path", "data/train/queen/<b>.jpg"}, {"split", "train"}, {"class", "queen"}}},
                  {"second", {{"path", "data/valid/king/1.jpg"}, {"split", "valid"}, {"class", "king"}}}}));
}

TEST_F(CliDataDuplicates, DrawsASheetAndAPage) {
  const Outcome outcome = duplicates({"--sheet", "s.png", "--html", "p.html", "--top", "1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("and 2 more (--top)"));
  EXPECT_THAT(read_bytes(folder_ / "s.png"), StartsWith("\x89PNG"));
  EXPECT_THAT(read_bytes(folder_ / "p.html"), AllOf(HasSubstr("&lt;b&gt;.jpg"), HasSubstr("data:image/jpeg")));
}

TEST_F(CliDataDuplicates, NamesBadFilesAndGoesOn) {
  write(folder_.path() / "data/train/king/bad.jpg", {1, 2, 3});
  put("train/king/name \xFF.jpg", 10, 0);
  const ExpectWarning bad("skipped data/train/king/bad.jpg: not a picture");
  const Outcome outcome = duplicates({});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("among 4 pictures")) << "a name that is not UTF-8 is no picture's, as everywhere";
}

TEST_F(CliDataDuplicates, RefusesWhatCannotBe) {
  std::filesystem::create_directories(folder_.path() / "empty");
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  struct Case {
    std::vector<std::string> options;
    int exit_code;
    const char* message;
  };
  for (const Case& c :
       {Case{{"--limit", "2"}, 2, "--limit"}, Case{{"--sheet", "s.txt"}, 2, "name it .png or .jpg"},
        Case{{"--html", "gone/p.html"}, 1, "cannot write there"}, Case{{"--html", "data"}, 1, "is a folder"},
        Case{{"--html", "pipe"}, 1, "is a device or a pipe"}, Case{{"--limit", "nan"}, 2, "--limit"}}) {
    const Outcome outcome = duplicates(c.options);
    EXPECT_EQ(outcome.exit_code, c.exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.message));
    EXPECT_THAT(lines_of(outcome.err), SizeIs(1));
    EXPECT_THAT(outcome.out, IsEmpty());
  }
  const Outcome empty =
      run_program(Start{.arguments = {"data", "duplicates", "empty"}, .folder = folder_.path().string()});
  EXPECT_EQ(empty.exit_code, 1);
  EXPECT_THAT(empty.err, HasSubstr("no card classes in empty"));
}

}  // namespace
}  // namespace cudacards
