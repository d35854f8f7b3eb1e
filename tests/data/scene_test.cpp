// Generated scenes: what labels.csv says is what is drawn, nothing is hidden, and the same seed gives the same bytes.

#include "host/data/deck/scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <opencv2/imgproc.hpp>
#include <set>
#include <sstream>

#include "host/data/deck/deck.h"
#include "host/data/deck/scene_layout.h"
#include "host/data/image_decode.h"
#include "host/runtime/error.h"
#include "tests/support/scoped_threads.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing_support::TemporaryFolder;

constexpr int kScenes = 24;
const SceneOptions kSmall{.scenes = kScenes, .seed = 5, .size = 512};

const std::vector<Scene>& scenes() {
  static const std::vector<Scene> all = [] {
    std::vector<Scene> drawn;
    for (int i = 0; i < kScenes; ++i) drawn.push_back(draw_scene(kSmall, i));
    return drawn;
  }();
  return all;
}

std::vector<cv::Point2f> polygon(const Corners& corners) { return {corners.begin(), corners.end()}; }

TEST(Scenes, HaveOneToNineDifferentCardsOfTheDeck) {
  std::set<std::size_t> counts;
  for (const Scene& scene : scenes()) {
    counts.insert(scene.cards.size());
    std::set<std::string> names;
    for (const SceneCard& card : scene.cards) {
      EXPECT_THAT(card_names(), Contains(card.label));
      names.insert(card.label);
    }
    EXPECT_EQ(names.size(), scene.cards.size());
  }
  EXPECT_EQ(*counts.begin(), 1u);
  EXPECT_EQ(*counts.rbegin(), 9u);
}

TEST(Scenes, ShowWholeCardsThatCoverLittleOfEachOther) {
  int touching = 0;
  for (const Scene& scene : scenes()) {
    for (std::size_t i = 0; i < scene.cards.size(); ++i) {
      const SceneCard& card = scene.cards[i];
      const auto corners = polygon(card.corners);
      for (const cv::Point2f& p : corners)
        EXPECT_TRUE(
            p.inside(cv::Rect2f(0, 0, static_cast<float>(scene.image.cols), static_cast<float>(scene.image.rows))));
      for (std::size_t j = i + 1; j < scene.cards.size(); ++j) {
        std::vector<cv::Point2f> common;
        const double shared = cv::intersectConvexConvex(corners, polygon(scene.cards[j].corners), common);
        EXPECT_LE(shared, kMostCovered * cv::contourArea(corners) + 1);
        touching += shared > 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(touching, 0) << "no two cards of any scene lie upon each other";
}

TEST(Scenes, BoxesLieAroundWhatIsVisible) {
  for (const Scene& scene : scenes()) {
    // The last card lies upon all others: its box is its corners', which rounding cuts by a few pixels.
    const SceneCard& upper = scene.cards.back();
    const cv::Rect around = cv::boundingRect(polygon(upper.corners));
    EXPECT_EQ(upper.box & around, upper.box);
    EXPECT_GT((upper.box & around).area(), 0.85 * around.area());
    for (const SceneCard& card : scene.cards) {
      const cv::Rect whole = cv::boundingRect(polygon(card.corners));
      EXPECT_EQ(card.box & whole, card.box);
      EXPECT_GT(card.box.area(), whole.area() / 2);
    }
  }
}

TEST(Scenes, CornersAreNeverMirrored) {
  for (const Scene& scene : scenes())
    for (const SceneCard& card : scene.cards) EXPECT_GT(cv::contourArea(polygon(card.corners), true), 0);
}

TEST(Scenes, AreLighterWhereACardIs) {
  for (const Scene& scene : scenes()) {
    cv::Mat grey, table(scene.image.size(), CV_8U, cv::Scalar(255));
    cv::cvtColor(scene.image, grey, cv::COLOR_RGB2GRAY);
    double light = 0;
    for (const SceneCard& card : scene.cards) {
      cv::Mat mask = cv::Mat::zeros(grey.size(), CV_8U);
      std::vector<cv::Point> corners;
      for (const cv::Point2f& p : card.corners) corners.emplace_back(p);
      cv::fillConvexPoly(mask, corners, 255);
      light += cv::mean(grey, mask)[0] / static_cast<double>(scene.cards.size());
      table.setTo(0, mask);
    }
    EXPECT_GT(light, cv::mean(grey, table)[0]);
  }
}

TEST(Scenes, DependOnSeedAndIndexAlone) {
  const Scene again = draw_scene(kSmall, 3);
  EXPECT_EQ(cv::norm(again.image, scenes()[3].image, cv::NORM_INF), 0);
  SceneOptions other = kSmall;
  other.seed = 6;
  const Scene different = draw_scene(other, 3);
  EXPECT_TRUE(different.image.size() != again.image.size() || cv::norm(different.image, again.image, cv::NORM_INF) > 0);
}

TEST(Scenes, LayoutsOfEveryCountFitEverySize) {
  for (int count = 1; count <= 9; ++count) {
    for (const cv::Size size : {cv::Size(160, 120), cv::Size(768, 1024)}) {
      DeckRandom random({1, 3, static_cast<std::uint32_t>(count), 0}, DeckStream::kScene);
      EXPECT_THAT(draw_layout(count, 140, size, 0, random), SizeIs(count));
    }
  }
}

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(testing_support::read_bytes(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(SceneFolder, SaysWhatIsOnItsPictures) {
  const TemporaryFolder folder;
  make_scenes(folder / "scenes", {.scenes = 3, .seed = 5, .size = 512});
  const auto lines = lines_of(folder / "scenes/labels.csv");
  ASSERT_THAT(lines, SizeIs(1 + scenes()[0].cards.size() + scenes()[1].cards.size() + scenes()[2].cards.size()));
  EXPECT_EQ(lines[0], "filename,width,height,label,xmin,ymin,xmax,ymax,x1,y1,x2,y2,x3,y3,x4,y4");
  EXPECT_THAT(lines[1], HasSubstr("0001.jpg,"));
  EXPECT_THAT(lines[1], HasSubstr("," + scenes()[0].cards[0].label + ","));
  const Image picture = decode_image(read_file(folder / "scenes/0003.jpg"));
  EXPECT_EQ(picture.width, scenes()[2].image.cols);
  EXPECT_EQ(picture.height, scenes()[2].image.rows);
}

TEST(SceneFolder, HasTheSameBytesOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  for (const int threads : {1, 3}) {
    const testing::ScopedThreads scoped(threads);
    make_scenes(folder / std::to_string(threads), {.scenes = 4, .seed = 2, .size = 256});
  }
  for (const std::string name : {"0001.jpg", "0004.jpg", "labels.csv"})
    EXPECT_EQ(testing_support::read_bytes(folder / ("1/" + name)), testing_support::read_bytes(folder / ("3/" + name)));
}

TEST(SceneFolder, RefusesAFolderThatHoldsSomething) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "full");
  testing_support::write_bytes(folder / "full/file", "x");
  EXPECT_THROW(make_scenes(folder / "full", {.scenes = 1}), Error);
  EXPECT_THROW(make_scenes(folder / "none", {.scenes = 0}), UsageError);
  EXPECT_FALSE(fs::exists(folder / "none"));
}

}  // namespace
}  // namespace cudacards
