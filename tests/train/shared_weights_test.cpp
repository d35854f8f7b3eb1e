// The imported 0.35/224 weights against Keras: features of pictures by a formula and of 100 real cards.
// tests/golden/make_features_golden.py makes the file.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "host/data/picture.h"
#include "host/graph/plan.h"
#include "host/train/import_weights.h"
#include "host/train/initial_weights.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

constexpr int kSide = 224, kEvery = 20, kFeatures = 1280;
constexpr std::size_t kPixels = std::size_t{3} * kSide * kSide;

std::uint32_t mix(std::uint32_t index, std::uint32_t key) {  // the finaliser of MurmurHash3
  std::uint32_t h = index + key;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

/// Squares of 32 x 32 of one colour each.
std::vector<std::uint8_t> generated(std::uint32_t n) {
  constexpr std::uint32_t kPixelsKey = 0x2272692Cu;  // FNV-1a of "pixels"
  std::vector<std::uint8_t> pixels(kPixels);
  for (std::uint32_t y = 0; y < kSide; ++y) {
    for (std::uint32_t x = 0; x < kSide; ++x) {
      for (std::uint32_t c = 0; c < 3; ++c) {
        const std::uint32_t corner = ((n * kSide + y / 32 * 32) * kSide + x / 32 * 32) * 3 + c;
        pixels[(y * kSide + x) * 3 + c] = static_cast<std::uint8_t>(mix(corner, kPixelsKey) % 256);
      }
    }
  }
  return pixels;
}

class SharedWeights : public testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("CUDACARDS_SHARED");
    if (shared == nullptr) GTEST_SKIP() << "skipped: no data (CUDACARDS_SHARED)";
    shared_ = shared;
    ImportOptions options;
    options.source = shared_ + "/weights/mobilenet_v2_0.35_224";
    options.out = folder_ / "f.safetensors";
    const ImportResult result = import_weights(options);
    EXPECT_EQ(result.info.width, 0.35f);
    EXPECT_EQ(result.report.taken, 260u);
    EXPECT_EQ(result.report.extra.size(), 3u) << "the unrelated head of four classes";
    RunConfig config;
    config.arch = "mobilenetv2";
    config.width = 0.35f;
    config.weights = options.out;
    read_initial_weights(config, graph_, {}).apply(parameters_);
    for (std::size_t i = 0; i < graph_.layers().size(); ++i) {
      if (graph_.layers()[i].name == "pool") graph_.logits(Node{static_cast<int>(i)});
    }
    plan_ = std::make_unique<Plan>(Plan::make(graph_, parameters_, {.batch = 1, .mode = Mode::kInfer}));
  }

  const float* features(const std::vector<std::uint8_t>& pixels) {
    const std::uint8_t* image[] = {pixels.data()};
    plan_->forward({.images = image, .transforms = {}}, Step{});
    return plan_->logits();
  }

  /// Against row `row` of the golden tensor, which has every `every`-th feature.
  void expect_row(const std::vector<float>& golden, std::size_t row, std::size_t columns, std::size_t every,
                  const float* actual) {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      const double expected = golden[row * columns + i];
      error = std::max(error, std::abs(static_cast<double>(actual[i * every]) - expected));
      size = std::max(size, std::abs(expected));
    }
    EXPECT_GT(size, 0.1) << row;
    EXPECT_LE(error, 1e-4 * size) << row;
    worst_ = std::max(worst_, error / size);
  }

  std::string shared_;
  const testing_support::TemporaryFolder folder_;
  const SafetensorsFile golden_ =
      SafetensorsFile::open(CUDACARDS_SOURCE_DIR "/tests/golden/mobilenetv2_features.safetensors");
  Graph graph_ = build_model("mobilenetv2", {.width_multiplier = 0.35f});
  Parameters parameters_{graph_};
  std::unique_ptr<Plan> plan_;
  double worst_ = 0;
};

TEST_F(SharedWeights, GiveKerasFeaturesOfGeneratedPictures) {
  const auto golden = golden_.read_floats("generated", {4, kFeatures});
  for (std::uint32_t n = 0; n < 4; ++n) expect_row(golden, n, kFeatures, 1, features(generated(n)));
  RecordProperty("worst", std::to_string(worst_));
}

TEST_F(SharedWeights, GiveKerasFeaturesOfAHundredCards) {
  const auto paths = nlohmann::json::parse(golden_.metadata().at("paths")).get<std::vector<std::string>>();
  ASSERT_EQ(paths.size(), 100u);
  const auto golden = golden_.read_floats("cards", {100, kFeatures / kEvery});
  std::vector<std::uint8_t> pixels(kPixels);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    read_picture(shared_ + "/" + paths[i], kSide, kSide, pixels.data());
    expect_row(golden, i, kFeatures / kEvery, kEvery, features(pixels));
  }
  RecordProperty("worst", std::to_string(worst_));
}

}  // namespace
}  // namespace cudacards
