// `data show` writes the picture that it was asked for, or says in one line why it cannot.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "host/data/image_decode.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

using namespace testing_support;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class CliDataShow : public testing::Test {
 protected:
  CliDataShow() {
    write_class(folder_.path() / "data" / "train" / "ace, of <b>", 4, 1, 32);
    write_class(folder_.path() / "data" / "train" / "two", 3, 2, 32);
    write_class(folder_.path() / "data" / "valid" / "two", 1, 3, 32);
  }

  Outcome show(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"data", "show", "data", "--image-size", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(Start{.arguments = arguments, .folder = folder_.path().string()});
  }

  std::string bytes(const std::string& name) const { return read_bytes(folder_ / name); }

  const TemporaryFolder folder_;
};

TEST_F(CliDataShow, WritesAPngAndPrintsItsPath) {
  const Outcome outcome = show({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "contact-sheet.png\n");
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_THAT(bytes("contact-sheet.png"), StartsWith("\x89PNG"));
}

TEST_F(CliDataShow, WritesAJpegWhereTheNameSaysSo) {
  EXPECT_EQ(show({"--out", "s.jpg", "--split", "valid"}).out, "s.jpg\n");
  const std::string file = bytes("s.jpg");
  const Image image = decode_image({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()});
  EXPECT_GT(image.width, 200);
}

TEST_F(CliDataShow, AugmentsAsTheConfigurationDoes) {
  const auto sheet = [&](std::vector<std::string> options) {
    options.insert(options.end(), {"--out", "s.png"});
    const Outcome outcome = show(options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return bytes("s.png");
  };
  write_bytes(folder_ / "run.toml",
              "[augment]\nrotation_degrees = 15\nscale = 0.15\nshift = 0.06\nperspective = 0.03\n"
              "brightness = 0.2\ncontrast = 0.2\n");
  const std::string plain = sheet({}), best = sheet({"--augment"});
  EXPECT_NE(plain, best);
  EXPECT_EQ(best, sheet({"--augment", "--config", "run.toml"})) << "the same numbers";
  EXPECT_NE(best, sheet({"--augment", "--preset", "finetune"})) << "other numbers";
  EXPECT_EQ(plain, sheet({"--config", "run.toml"})) << "nothing is augmented unasked";
}

TEST_F(CliDataShow, TakesItsSizeFromThePreset) {
  const auto sheet = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"data", "show", "data", "--out", "s.png"});
    run_program(Start{.arguments = arguments, .folder = folder_.path().string()});
    return bytes("s.png");
  };
  EXPECT_EQ(sheet({"--arch", "mlp"}), sheet({"--image-size", "64"}));
  EXPECT_NE(sheet({"--arch", "mlp"}), sheet({}));
}

TEST_F(CliDataShow, ShowsTheClassesThatAreNamed) {
  const Outcome one = show({"--classes", "ace, of <b>", "--out", "one.png"}),
                two = show({"--classes", "two", "--classes", "ace, of <b>", "--out", "two.png"}),
                listed = show({"--classes", "two,two", "--out", "listed.png"});
  for (const Outcome& outcome : {one, two, listed}) EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(bytes("one.png"), bytes("two.png"));
  const Outcome wrong = show({"--classes", "tow"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("no class \"tow\", did you mean \"two\"?"));
}

TEST_F(CliDataShow, NamesABadFileAndGoesOn) {
  write(folder_.path() / "data" / "train" / "two" / "bad.jpg", {1, 2, 3});
  const ExpectWarning bad("skipped data/train/two/bad.jpg: not a picture");
  EXPECT_EQ(show({}).exit_code, 0);
}

TEST_F(CliDataShow, RefusesWhatCannotBe) {
  struct Case {
    std::vector<std::string> options;
    int exit_code;
    const char* message;
  };
  fs::create_directories(folder_ / "empty/a");
  fs::create_directory(folder_ / "folder.png");
  for (const Case& c :
       {Case{{"--out", "sheet.gif"}, 2, "name it .png or .jpg"}, Case{{"--out", "gone/s.png"}, 1, "cannot write there"},
        Case{{"--out", "folder.png"}, 1, "is a folder"}, Case{{"--split", "test"}, 1, "no pictures in \"test\""},
        Case{{"--augment", "--preset", "notebook"}, 2, "the preset notebook does not augment"},
        Case{{"--config", "gone.toml"}, 2, "gone.toml"}, Case{{"--config", "x", "--preset", "best"}, 2, "excludes"},
        Case{{"--preset", "bset"}, 2, "did you mean \"best\""}, Case{{"--per-class", "0"}, 2, "--per-class"}}) {
    const Outcome outcome = show(c.options);
    EXPECT_EQ(outcome.exit_code, c.exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.message));
    EXPECT_THAT(lines_of(outcome.err), SizeIs(1));
    EXPECT_THAT(outcome.out, IsEmpty());
  }
  const Outcome empty = run_program(Start{.arguments = {"data", "show", "empty"}, .folder = folder_.path().string()});
  EXPECT_EQ(empty.exit_code, 1);
  EXPECT_THAT(empty.err, HasSubstr("holds no picture"));
}

TEST_F(CliDataShow, RefusesASheetThatIsTooLarge) {
  const Outcome outcome = show({"--thumbnail", "1024", "--out", "s.jpg", "--per-class", "4"});
  EXPECT_EQ(outcome.exit_code, 0) << "1,000 x 4,000 pixels are no matter";
  write_class(folder_.path() / "data" / "train" / "two", 90, 2, 8);
  const Outcome large = show({"--thumbnail", "1024", "--out", "s.jpg", "--per-class", "1000"});
  EXPECT_EQ(large.exit_code, 2);
  EXPECT_THAT(large.err, HasSubstr("too many for one JPEG"));
}

}  // namespace
}  // namespace cudacards
