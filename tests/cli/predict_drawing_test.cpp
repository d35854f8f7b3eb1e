// `predict --draw`: a picture with its names for every picture, beside what is in the folder already.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/pictures.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using namespace testing_support;

class CliPredictDrawing : public testing::Test {
 protected:
  CliPredictDrawing() {
    write_checkpoint(folder_ / "model.safetensors", "cnn", 16, {"joker", "king of hearts"});
    write_class(folder_.path() / "data/joker", 2, 1, 64);
    write_class(folder_.path() / "data/king of hearts", 1, 2, 64);
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = "") const {
    return run_program({.arguments = std::move(arguments), .standard_input = input, .folder = folder_.path().string()});
  }

  std::set<std::string> drawn() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "drawn")) names.insert(entry.path().filename());
    return names;
  }

  Image read(const std::string& name) const { return decode_image(read_file(folder_ / name)); }

  TemporaryFolder folder_;
};

TEST_F(CliPredictDrawing, GivesEachPictureItsOwnNameAndOverwritesNothing) {
  const Outcome outcome = run({"predict", "model.safetensors", "data", "--draw", "drawn"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(lines_of(outcome.out), SizeIs(3));
  EXPECT_THAT(drawn(), ElementsAre("000-2.jpg", "000.jpg", "001.jpg"));
  const std::string before = read_bytes(folder_ / "drawn/000.jpg");
  EXPECT_EQ(run({"predict", "model.safetensors", "data/joker/000.jpg", "--draw", "drawn"}).exit_code, 0);
  EXPECT_THAT(drawn(), ElementsAre("000-2.jpg", "000-3.jpg", "000.jpg", "001.jpg"));
  EXPECT_EQ(read_bytes(folder_ / "drawn/000.jpg"), before);
}

TEST_F(CliPredictDrawing, NeverWritesOverThePictureThatItReads) {
  const std::string before = read_bytes(folder_ / "data/joker/000.jpg");
  EXPECT_EQ(run({"predict", "model.safetensors", "data/joker/000.jpg", "--draw", "data/joker"}).exit_code, 0);
  EXPECT_EQ(read_bytes(folder_ / "data/joker/000.jpg"), before);
  EXPECT_TRUE(fs::exists(folder_ / "data/joker/000-2.jpg"));
}

TEST_F(CliPredictDrawing, EnlargesSmallPicturesAndPutsALineForEachNameBelow) {
  write_class(folder_.path() / "some", 1, 1, 64);  // not the name of a class
  for (const std::string top : {"1", "2"})
    ASSERT_EQ(run({"predict", "model.safetensors", "some/000.jpg", "--top", top, "--draw", "drawn"}).exit_code, 0);
  const Image one = read("drawn/000.jpg"), two = read("drawn/000-2.jpg");
  EXPECT_EQ(one.width, 320);
  EXPECT_GT(one.height, 320);
  EXPECT_EQ(two.width, 320);
  EXPECT_GT(two.height, one.height);
}

TEST_F(CliPredictDrawing, LeavesAPictureOfOneColumnNarrow) {
  Image column(3000, 1);
  std::fill_n(column.pixels.get(), column.bytes(), std::uint8_t{255});
  write(folder_ / "column.jpg", jpeg(column));
  ASSERT_EQ(run({"predict", "model.safetensors", "column.jpg", "--draw", "drawn"}).exit_code, 0);
  const Image drawn = read("drawn/column.jpg");
  EXPECT_EQ(drawn.width, 320);
  EXPECT_LT(drawn.height, 3200);
  EXPECT_GT(drawn.pixels[0], 200);
  EXPECT_LT(drawn.pixels[300], 100) << "beside it the band goes on";
}

TEST_F(CliPredictDrawing, SaysWhichPictureIsTooLargeToDraw) {
  Image tall(65'490, 1);  // with its caption it has more rows than a JPEG can
  std::fill_n(tall.pixels.get(), tall.bytes(), std::uint8_t{255});
  write(folder_ / "tall.jpg", jpeg(tall));
  const Outcome outcome = run({"predict", "model.safetensors", "tall.jpg", "--draw", "drawn"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("tall.jpg cannot be drawn: "));
}

TEST_F(CliPredictDrawing, SaysWhatTheFolderSaysWhereItIsAnotherClass) {
  // The same picture in both classes' folders: with one of them the model disagrees, and that picture has a line more.
  fs::copy(folder_ / "data/joker/001.jpg", folder_ / "data/king of hearts/001.jpg");
  fs::create_directory(folder_ / "elsewhere");
  fs::copy(folder_ / "data/joker/001.jpg", folder_ / "elsewhere/001.jpg");
  ASSERT_EQ(run({"predict", "model.safetensors", "data/joker/001.jpg", "data/king of hearts/001.jpg",
                 "elsewhere/001.jpg", "--draw", "drawn"})
                .exit_code,
            0);
  const int joker = read("drawn/001.jpg").height, king = read("drawn/001-2.jpg").height,
            unknown = read("drawn/001-3.jpg").height;
  EXPECT_NE(joker, king);
  EXPECT_EQ(std::min(joker, king), unknown);
}

TEST_F(CliPredictDrawing, DrawsThePictureOnStandardInput) {
  ASSERT_EQ(run({"predict", "model.safetensors", "-", "--draw", "drawn"}, read_bytes(folder_ / "data/joker/000.jpg"))
                .exit_code,
            0);
  EXPECT_THAT(drawn(), ElementsAre("picture.jpg"));
}

TEST_F(CliPredictDrawing, PassesOverWhatIsNoPicture) {
  write_bytes(folder_ / "bad.jpg", "no picture");
  const ExpectWarning bad("bad.jpg: ");
  EXPECT_EQ(run({"predict", "model.safetensors", "bad.jpg", "data/joker/000.jpg", "--draw", "drawn"}).exit_code, 1);
  EXPECT_THAT(drawn(), ElementsAre("000.jpg"));
}

TEST_F(CliPredictDrawing, RefusesAFolderThatIsAFile) {
  write_bytes(folder_ / "file", "");
  for (const std::string where : {"file", "file/below"}) {
    const Outcome outcome = run({"predict", "model.safetensors", "data", "--draw", where});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.out, testing::IsEmpty());
    ASSERT_THAT(lines_of(outcome.err), SizeIs(1));
    EXPECT_THAT(outcome.err, HasSubstr(where));
  }
}

}  // namespace
}  // namespace cudacards
