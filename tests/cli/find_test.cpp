// `find` for people and programs: the JSON's shape, files that are no pictures, drawings, scores.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/data/deck/scene_folder.h"
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
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace testing_support;

/// An untrained model of things that are no cards, and three scenes.
class CliFind : public testing::Test {
 protected:
  CliFind() {
    write_checkpoint(folder_ / "model.safetensors", "cnn", 16, {"cat", "dog"});
    make_scenes(folder_ / "scenes", {.scenes = 3, .seed = 4, .size = 512});
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), "find");
    arguments.insert(arguments.end(), {"--model", "model.safetensors", "--least-probability", "0.1"});
    return run_program({.arguments = std::move(arguments), .standard_input = input, .folder = folder_.path().string()});
  }

  TemporaryFolder folder_;
};

TEST_F(CliFind, PrintsAnObjectAPhoto) {
  const Outcome outcome = run({"scenes", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_THAT(lines, SizeIs(3));
  std::size_t cards = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto photo = nlohmann::ordered_json::parse(lines[i]);
    ASSERT_THAT(photo, SizeIs(2));
    EXPECT_EQ(photo.begin().key(), "path");
    EXPECT_EQ(photo["path"], "scenes/000" + std::to_string(i + 1) + ".jpg");
    for (const auto& card : photo["cards"]) {
      ++cards;
      std::vector<std::string> keys;
      for (const auto& [key, value] : card.items()) keys.push_back(key);
      EXPECT_THAT(keys, ElementsAre("label", "probability", "quad", "box"));
      EXPECT_TRUE(card["label"] == "cat" || card["label"] == "dog");
      EXPECT_GE(card["probability"], 0.1);
      EXPECT_LE(card["probability"], 1.0);
      ASSERT_THAT(card["quad"], SizeIs(4));
      for (const auto& corner : card["quad"]) EXPECT_THAT(corner, SizeIs(2));
      ASSERT_THAT(card["box"], SizeIs(4));
      EXPECT_LT(card["box"][0], card["box"][2]);
      EXPECT_LT(card["box"][1], card["box"][3]);
      EXPECT_LE(card["box"][2], 512);
    }
  }
  EXPECT_GT(cards, 0u);
  EXPECT_THAT(outcome.err, HasSubstr("3 photos, " + std::to_string(cards) + " cards, "));
  EXPECT_THAT(outcome.err, HasSubstr(" s a photo"));
}

TEST_F(CliFind, PrintsALineACardForPeople) {
  const Outcome outcome = run({"scenes/0001.jpg"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  const json photo = json::parse(run({"scenes/0001.jpg", "--json"}).out);
  ASSERT_THAT(lines, SizeIs(1 + photo["cards"].size()));
  EXPECT_THAT(lines[0], HasSubstr("scenes/0001.jpg: " + std::to_string(photo["cards"].size()) + " card"));
  EXPECT_THAT(lines[1], HasSubstr(photo["cards"][0]["label"].get<std::string>()));
}

TEST_F(CliFind, GivesTheSameAnswerTwiceAndFromStandardInput) {
  const std::string once = run({"scenes/0002.jpg", "--json"}).out;
  EXPECT_EQ(run({"scenes/0002.jpg", "--json"}).out, once);
  const std::string piped = run({"-", "--json"}, read_bytes(folder_ / "scenes/0002.jpg")).out;
  EXPECT_EQ(json::parse(piped)["cards"], json::parse(once)["cards"]);
  EXPECT_EQ(json::parse(piped)["path"], "-");
}

TEST_F(CliFind, CountsPixelsAfterTurningThePicture) {
  const std::string upright = read_bytes(folder_ / "scenes/0001.jpg");
  const Image image = decode_image(read_file(folder_ / "scenes/0001.jpg"));
  write(folder_ / "turned.jpg", with_segment({upright.begin(), upright.end()}, 0xE1, exif(6, ByteOrder::kIntel)));
  const json photo = json::parse(run({"turned.jpg", "--json"}).out);
  ASSERT_FALSE(photo["cards"].empty());
  double furthest_x = 0, furthest_y = 0;
  for (const auto& card : photo["cards"]) {
    furthest_x = std::max(furthest_x, card["box"][2].get<double>());
    furthest_y = std::max(furthest_y, card["box"][3].get<double>());
  }
  EXPECT_LE(furthest_x, image.height);
  EXPECT_LE(furthest_y, image.width);
}

TEST_F(CliFind, PassesOverWhatIsNoPictureInFoldersAndNamesItElsewhere) {
  write_bytes(folder_ / "scenes/notes.txt", "no picture");
  write_bytes(folder_ / "scenes/broken.jpg", "no picture");
  const Outcome of_folder = run({"scenes", "--json"});
  EXPECT_EQ(of_folder.exit_code, 0);
  EXPECT_THAT(lines_of(of_folder.out), SizeIs(3));
  EXPECT_THAT(of_folder.err, HasSubstr("passed over scenes/broken.jpg: "));

  const ExpectWarning broken("scenes/broken.jpg: "), missing("missing.jpg: ");
  const Outcome named = run({"scenes/broken.jpg", "missing.jpg", "scenes/0001.jpg", "--json"});
  EXPECT_EQ(named.exit_code, 1);
  EXPECT_THAT(lines_of(named.out), SizeIs(1));
}

TEST_F(CliFind, FindsNothingWhereThereIsNothing) {
  Image empty(40, 60);
  std::fill_n(empty.pixels.get(), empty.bytes(), std::uint8_t{77});
  write(folder_ / "empty.jpg", jpeg(empty));
  EXPECT_EQ(run({"empty.jpg", "--json"}).out, "{\"path\":\"empty.jpg\",\"cards\":[]}\n");
  EXPECT_THAT(run({"empty.jpg"}).out, HasSubstr("empty.jpg: 0 cards"));
}

TEST_F(CliFind, DrawsBesideWhatIsThere) {
  for (const std::string expected : {"drawn/0001.jpg", "drawn/0001-2.jpg"}) {
    EXPECT_EQ(run({"scenes/0001.jpg", "--draw", "drawn"}).exit_code, 0);
    EXPECT_GE(decode_image(read_file(folder_ / expected)).height, 512);
  }
}

TEST_F(CliFind, ScoresAgainstKnownAnswers) {
  const Outcome people = run({"scenes", "--labels", "scenes/labels.csv", "--failures", "failures.jpg"});
  ASSERT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(lines_of(people.out).back(), HasSubstr("recall 0.000 (0 of ")) << "no card is a cat";
  EXPECT_GT(decode_image(read_file(folder_ / "failures.jpg")).width, 420);
  const Outcome programs = run({"scenes", "--labels", "scenes/labels.csv", "--json"});
  EXPECT_THAT(lines_of(programs.out), SizeIs(3));
  EXPECT_THAT(programs.err, HasSubstr("recall 0.000 (0 of "));
}

TEST_F(CliFind, SaysInOneLineWhatItWants) {
  write_bytes(folder_ / "file", "");
  const auto expect_line = [&](std::vector<std::string> arguments, int code, const std::string& words) {
    const Outcome outcome = run(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, code) << words;
    EXPECT_THAT(outcome.out, IsEmpty());
    ASSERT_THAT(lines_of(outcome.err), SizeIs(1)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
  };
  expect_line({"scenes", "--draw", "file"}, 1, "file");
  expect_line({"scenes", "--labels", "missing.csv"}, 1, "missing.csv: ");
  expect_line({"scenes", "--labels", "file"}, 1, "file: ");
  expect_line({"scenes", "--failures", "f.jpg"}, 2, "--labels");
  expect_line({"scenes", "--labels", "scenes/labels.csv", "--failures", "missing/f.jpg"}, 1, "missing/f.jpg");
}

}  // namespace
}  // namespace cudacards
