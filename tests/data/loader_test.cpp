// Any batch can be asked for at any time and is the same each time; preparing the next one in the background changes
// nothing and leaves nothing behind. The cancelling tests are made for ThreadSanitizer.

#include "host/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <set>

#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "kernels/base/philox.h"
#include "tests/support/case_scope.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing_support::CaseScope;
using testing_support::error_text;
using testing_support::numbered_cases;

const AugmentOptions kAugment{
    .rotation_degrees = 10, .scale = 0.1f, .shift = 0.05f, .perspective = 0.05f, .brightness = 0.2f};

/// What a batch is made of, by value.
struct Contents {
  std::vector<std::int64_t> indices;
  std::vector<std::int32_t> labels;
  std::vector<float> matrices;
  std::int64_t rows = 0;
  bool operator==(const Contents&) const = default;
};

Contents contents(const Batch& batch) {
  Contents result{batch.indices, batch.labels, {}, batch.rows};
  for (const ImageTransform& transform : batch.transforms) {
    result.matrices.insert(result.matrices.end(), transform.source_from_destination.begin(),
                           transform.source_from_destination.end());
  }
  return result;
}

class LoaderTest : public testing::Test {
 protected:
  // Decoded once: thirty pictures of three classes.
  static void SetUpTestSuite() {
    const testing_support::TemporaryFolder folder;
    for (const char* name : {"a", "b", "c"}) {
      testing_support::write_class(folder.path() / name, 10, static_cast<std::uint32_t>(name[0]), 8);
    }
    const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
    const int before = threads();
    set_threads(1);  // ThreadSanitizer can't see into the OpenMP runtime
    pictures_ = new Pictures(decode_pictures(set.train, 8, 8, 0, set.classes));
    set_threads(before);
  }
  static void TearDownTestSuite() { delete pictures_; }

  static const Pictures& pictures() { return *pictures_; }
  static Loader loader(const LoaderOptions& options) { return Loader(pictures(), options); }

 private:
  static inline Pictures* pictures_ = nullptr;
};

TEST_F(LoaderTest, GoesThroughTheSplitInOrderWithoutShuffle) {
  Loader in_order = loader({.batch = 7});
  ASSERT_EQ(in_order.batches(), 5);
  std::vector<std::int64_t> seen;
  for (std::int64_t i = 0; i < 5; ++i) {
    const Batch& batch = in_order.batch(3, i);
    EXPECT_TRUE(batch.transforms.empty());
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      seen.push_back(batch.indices[at]);
      EXPECT_EQ(batch.labels[at], pictures().label(batch.indices[at]));
      EXPECT_EQ(batch.images.images[at], pictures().pixels(batch.indices[at]));
    }
  }
  std::vector<std::int64_t> expected(30);
  std::iota(expected.begin(), expected.end(), std::int64_t{0});
  EXPECT_EQ(seen, expected);
}

TEST_F(LoaderTest, FillsAShortBatchUpWithItsOwnPictures) {
  Loader in_order = loader({.batch = 7, .augment = kAugment});
  const Batch& last = in_order.batch(0, 4);
  EXPECT_EQ(last.rows, 2);
  EXPECT_THAT(last.indices, ElementsAreArray({28, 29, 28, 29, 28, 29, 28}));
  EXPECT_EQ(last.images.images.size(), 7u);
  EXPECT_EQ(last.images.transforms.size(), 7u);
  EXPECT_EQ(last.labels.size(), 7u);
  EXPECT_EQ(last.images.images[2], last.images.images[0]);
}

TEST_F(LoaderTest, CountsAShortBatch) {
  EXPECT_EQ(loader({.batch = 10}).batches(), 3);
  EXPECT_EQ(loader({.batch = 29}).batches(), 2);
  EXPECT_EQ(loader({.batch = 31}).batches(), 1);
}

TEST_F(LoaderTest, ShufflesEveryEpochIntoAnotherPermutation) {
  Loader shuffled = loader({.batch = 30, .seed = 5, .shuffle = true});
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    std::vector<std::int64_t> order = shuffled.batch(epoch, 0).indices;
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < 30; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(orders.size(), 20u);
  EXPECT_NE(loader({.batch = 30, .seed = 6, .shuffle = true}).batch(0, 0).indices, shuffled.batch(0, 0).indices);
}

// Each picture should come first about as often as any other: chi-squared with 29 degrees of freedom, 1 in 10,000
// above 65.
TEST_F(LoaderTest, ShufflesEvenly) {
  Loader shuffled = loader({.batch = 30, .seed = 7, .shuffle = true});
  std::vector<int> first(30), last(30);
  constexpr int kEpochs = 3000;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Batch& batch = shuffled.batch(epoch, 0);
    ++first[static_cast<std::size_t>(batch.indices.front())];
    ++last[static_cast<std::size_t>(batch.indices.back())];
  }
  for (const auto& counts : {first, last}) {
    double chi_squared = 0;
    for (const int count : counts)
      chi_squared += (count - kEpochs / 30.0) * (count - kEpochs / 30.0) / (kEpochs / 30.0);
    EXPECT_LT(chi_squared, 65);
  }
}

// What a resumed run does: it asks for a batch in the middle of an epoch that no loader before it has prepared.
TEST_F(LoaderTest, GivesTheSameBatchInAnyOrderOfAsking) {
  const LoaderOptions options{.batch = 4, .seed = 11, .shuffle = true, .augment = kAugment};
  std::vector<Contents> in_order;
  {
    Loader one = loader(options);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      for (std::int64_t i = 0; i < one.batches(); ++i) in_order.push_back(contents(one.batch(epoch, i)));
    }
  }
  Loader other = loader(options);
  for (const int ask : numbered_cases(200)) {
    const CaseScope scope(ask);
    const std::size_t at = philox4x32_10(static_cast<std::uint32_t>(ask), 0, 0, 0, 0, 0).v[0] % in_order.size();
    const auto batches = static_cast<std::size_t>(other.batches());
    ASSERT_EQ(contents(other.batch(static_cast<std::int64_t>(at / batches), static_cast<std::int64_t>(at % batches))),
              in_order[at])
        << at;
  }
}

// The steps are strides through the batches: 1 asks for what has been prepared, 3 never does.
TEST_F(LoaderTest, KeepsABatchUntilTheOneAfterNextIsAskedFor) {
  for (const std::int64_t stride : {1, 3}) {
    Loader one = loader({.batch = 4, .seed = 1, .shuffle = true, .augment = kAugment});
    const Batch* before = &one.batch(0, 0);
    Contents kept = contents(*before);
    for (std::int64_t i = stride; i < 30 * stride; i += stride) {
      const Batch* now = &one.batch(i / one.batches(), i % one.batches());
      EXPECT_NE(now, before) << "stride " << stride;
      ASSERT_EQ(contents(*before), kept) << "stride " << stride;
      before = now;
      kept = contents(*now);
    }
  }
}

TEST_F(LoaderTest, DrawsAnotherViewOfAPictureInEachEpoch) {
  Loader one = loader({.batch = 30, .seed = 1, .augment = kAugment});
  const Contents first = contents(one.batch(0, 0));
  EXPECT_NE(contents(one.batch(1, 0)).matrices, first.matrices);
  EXPECT_EQ(contents(one.batch(0, 0)), first);
}

TEST_F(LoaderTest, RefusesAugmentationThatMakesNoSense) {
  AugmentOptions folded = kAugment;
  folded.perspective = 0.3f;
  EXPECT_THAT(error_text([&] { loader({.augment = folded}); }), HasSubstr("perspective must be from 0 to 0.2"));
}

TEST_F(LoaderTest, OfNoPicturesHasNoBatches) {
  const Pictures none = decode_pictures({}, 8, 8, 0, {});
  EXPECT_EQ(Loader(none, {.batch = 4}).batches(), 0);
}

int open_descriptors_and_threads() {
  int count = 0;
  for (const char* folder : {"/proc/self/fd", "/proc/self/task"}) {
    count += static_cast<int>(
        std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
  }
  return count;
}

/// Loaders that die at a random moment: before the first batch, in the middle of preparing one, after many.
void cancel_at_random(const Pictures& pictures, int epochs) {
  const int before = open_descriptors_and_threads();
  for (const int run : numbered_cases(epochs)) {
    const CaseScope scope(run);
    const auto seed = static_cast<std::uint32_t>(run);
    const Random4 random = philox4x32_10(seed, 2, 0, 0, 0, 0);
    Loader loader(pictures,
                  {.batch = static_cast<int>(random.v[0] % 9 + 1), .seed = seed, .shuffle = true, .augment = kAugment});
    const auto asked = static_cast<std::int64_t>(random.v[1] % 40);
    for (std::int64_t i = 0; i < asked; ++i)
      loader.batch(i / loader.batches(), random.v[2] % 2 == 0 ? i % loader.batches() : 0);
    EXPECT_GE(loader.seconds_waited(), 0);
  }
  EXPECT_EQ(open_descriptors_and_threads(), before);
}

TEST_F(LoaderTest, CanBeDestroyedAtAnyMoment) { cancel_at_random(pictures(), 100); }

class LoaderLong : public LoaderTest {};
TEST_F(LoaderLong, CanBeDestroyedAtAnyMomentOfAThousandEpochs) { cancel_at_random(pictures(), 1000); }

}  // namespace
}  // namespace cudacards
