// The check finds planted faults of every kind, tells warnings from errors, and statistics count what is there.

#include "host/data/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "host/data/stats.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;
using testing_support::jpeg;
using testing_support::picture;
using testing_support::TemporaryFolder;
using testing_support::write;
using testing_support::write_class;

TEST(CheckDataset, FindsNothingInACleanSet) {
  const TemporaryFolder folder;
  write_class(folder.path() / "train" / "a", 3, 1);
  write_class(folder.path() / "train" / "b", 3, 2);
  write_class(folder.path() / "valid" / "a", 1, 3);
  write_class(folder.path() / "valid" / "b", 1, 4);
  const DatasetCheck check = check_dataset({.root = folder.path()});
  EXPECT_TRUE(check.passes());
  EXPECT_EQ(check.pictures, 8);
  EXPECT_THAT(check.classes, ElementsAre("a", "b"));
  EXPECT_THAT(check.duplicates, IsEmpty());
  EXPECT_THAT(check.mismatches, IsEmpty());
}

TEST(CheckDataset, TellsThreeKindsOfDuplicates) {
  const TemporaryFolder folder;
  const auto put = [&](const char* name, std::uint32_t seed) {
    write(folder.path() / name, jpeg(picture(8, 8, seed)));
  };
  put("train/a/1.jpg", 1), put("train/a/2.jpg", 1);                           // harmless
  put("train/a/3.jpg", 2), put("train/b/1.jpg", 2);                           // two labels
  put("train/b/2.jpg", 3), put("valid/b/1.jpg", 3), put("train/b/3.jpg", 3);  // two splits
  put("valid/a/1.jpg", 4);
  const DatasetCheck check = check_dataset({.root = folder.path()});
  ASSERT_EQ(check.duplicates.size(), 3u);
  EXPECT_THAT(check.duplicates[0].paths(), ElementsAre(EndsWith("train/a/1.jpg"), EndsWith("train/a/2.jpg")));
  EXPECT_FALSE(check.duplicates[0].across_labels || check.duplicates[0].across_splits);
  EXPECT_THAT(check.duplicates[1].paths(), ElementsAre(EndsWith("train/a/3.jpg"), EndsWith("train/b/1.jpg")));
  EXPECT_TRUE(check.duplicates[1].across_labels);
  EXPECT_THAT(check.duplicates[2].paths(),
              ElementsAre(EndsWith("train/b/2.jpg"), EndsWith("train/b/3.jpg"), EndsWith("valid/b/1.jpg")));
  EXPECT_TRUE(check.duplicates[2].across_splits);
  EXPECT_FALSE(check.duplicates[2].across_labels);
  EXPECT_TRUE(check.passes()) << "duplicates are warnings";
}

TEST(FindDuplicates, KnowsDecodedPicturesByTheirFilesWithoutOpeningThemAgain) {
  std::optional<TemporaryFolder> folder(std::in_place);
  write_class(folder->path() / "train" / "a", 3, 1);
  write_class(folder->path() / "train" / "b", 3, 2);
  write_class(folder->path() / "valid" / "b", 1, 2);  // its picture is the first of train's b
  write(folder->path() / "train" / "a" / "bad.jpg", {1, 2, 3});
  write(folder->path() / "train" / "b" / "bad.jpg", {1, 2, 3});
  const Dataset set = scan_dataset({.root = folder->path()});
  const Pictures train = decode_pictures(set.train, 8, 8, 0.5, set.classes);
  const Pictures valid = decode_pictures(set.valid, 8, 8, 0, set.classes);
  folder.reset();
  const std::vector<Duplicates> duplicates = find_duplicates(train, valid, set.classes);
  ASSERT_EQ(duplicates.size(), 1u) << "bad files are not pictures, and so no duplicates";
  EXPECT_THAT(duplicates[0].paths(), ElementsAre(EndsWith("train/b/000.jpg"), EndsWith("valid/b/000.jpg")));
  EXPECT_TRUE(duplicates[0].across_splits);
  EXPECT_FALSE(duplicates[0].across_labels);
}

TEST(CheckDataset, ListsClassMismatchesAndEmptyClassesInsteadOfStopping) {
  const TemporaryFolder folder;
  write_class(folder.path() / "train" / "a", 1, 1);
  write_class(folder.path() / "train" / "b", 1, 2);
  write_class(folder.path() / "train" / "c", 0, 3);
  write_class(folder.path() / "valid" / "a", 1, 4);
  write_class(folder.path() / "valid" / "x", 1, 5);
  const DatasetCheck check = check_dataset({.root = folder.path()});
  EXPECT_FALSE(check.passes());
  ASSERT_EQ(check.mismatches.size(), 3u);
  EXPECT_EQ(check.mismatches[0].kind, ClassMismatch::Kind::kUnknown);
  EXPECT_EQ(check.mismatches[0].class_name, "x");
  EXPECT_EQ(check.mismatches[1].kind, ClassMismatch::Kind::kMissing);
  EXPECT_EQ(check.mismatches[1].class_name, "b");
  EXPECT_EQ(check.mismatches[2].split, "valid");
  EXPECT_THAT(check.empty_classes, ElementsAre(EndsWith("train/c")));
}

TEST(DatasetStats, CountsClassesAndSizes) {
  const TemporaryFolder folder;
  write_class(folder.path() / "train" / "a", 5, 1, 16);
  write_class(folder.path() / "train" / "b", 2, 2, 24);
  write_class(folder.path() / "valid" / "b", 1, 3, 24);
  write(folder.path() / "train" / "b" / "bad.jpg", {1, 2, 3});
  const DatasetStats stats = dataset_stats(scan_dataset({.root = folder.path()}));
  ASSERT_EQ(stats.splits.size(), 2u);
  EXPECT_EQ(stats.splits[0].name, "train");
  EXPECT_THAT(stats.splits[0].counts, ElementsAre(5, 3));
  EXPECT_EQ(stats.splits[0].total, 8);
  EXPECT_EQ(stats.splits[0].smallest, 3);
  EXPECT_EQ(stats.splits[0].largest, 5);
  EXPECT_DOUBLE_EQ(stats.splits[0].mean, 4);
  EXPECT_THAT(stats.splits[1].counts, ElementsAre(0, 1));
  EXPECT_THAT(stats.sizes, ElementsAre(testing::Pair(ImageSize{16, 16}, 5), testing::Pair(ImageSize{24, 24}, 3)));
  EXPECT_EQ(stats.unreadable, 1);
}

std::string real_cards() {
  const char* shared = std::getenv("CUDACARDS_SHARED");
  return shared != nullptr && *shared != 0 ? std::string(shared) + "/cards" : "";
}

// 7,624 + 265 photographs; the four paths are known from a comparison of SHA-256 sums.
TEST(RealCards, HaveTwoPairsOfDuplicatesOneOfThemUnderTwoLabels) {
  if (real_cards().empty()) GTEST_SKIP() << "skipped: no data";
  const DatasetCheck check = check_dataset({.root = real_cards()});
  EXPECT_TRUE(check.passes());
  EXPECT_EQ(check.pictures, 7624 + 265);
  EXPECT_EQ(check.classes.size(), 53u);
  EXPECT_THAT(check.bad, IsEmpty());
  EXPECT_THAT(check.skipped, IsEmpty());
  ASSERT_EQ(check.duplicates.size(), 2u);
  EXPECT_THAT(check.duplicates[0].paths(),
              ElementsAre(EndsWith("four of clubs/127.jpg"), EndsWith("four of spades/120.jpg")));
  EXPECT_TRUE(check.duplicates[0].across_labels);
  EXPECT_THAT(check.duplicates[1].paths(),
              ElementsAre(EndsWith("three of diamonds/079.jpg"), EndsWith("three of diamonds/080.jpg")));
  EXPECT_FALSE(check.duplicates[1].across_labels);
}

}  // namespace
}  // namespace cudacards
