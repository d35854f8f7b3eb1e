// Folders become (path, label) by the names of the class folders, whatever their position; what doesn't fit is refused
// in words that name it.

#include "host/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "host/runtime/error.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::error_text;
using testing_support::TemporaryFolder;
using testing_support::write;

using Names = std::vector<std::string>;

/// Scanning looks at names alone, so that files of one byte will do.
void make_split(const fs::path& folder, const Names& classes, int pictures = 2) {
  fs::create_directories(folder);
  for (const std::string& name : classes) {
    fs::create_directories(folder / name);
    for (int i = 0; i < pictures; ++i) write(folder / name / (std::to_string(i) + ".jpg"), {1});
  }
}

std::string class_of(const Sample& sample) { return fs::path(sample.path).parent_path().filename().string(); }

void expect_labels_by_name(const Dataset& set) {
  for (const auto* split : {&set.train, &set.valid, &set.test}) {
    for (const Sample& sample : *split) {
      ASSERT_GE(sample.label, 0);
      ASSERT_LT(sample.label, static_cast<int>(set.classes.size()));
      EXPECT_EQ(set.classes[static_cast<std::size_t>(sample.label)], class_of(sample));
    }
  }
}

// QUALITY target 8: each case ends with labels that are right by name, or with an error that says what is wrong and
// where.
struct MismatchCase {
  const char* name;
  Names train, valid, test;     // class folders; a split that is empty here is not there
  Names known = {};             // by a checkpoint
  const char* error = nullptr;  // part of the message; null: labels are right
  const char* error_too = "";
};

std::ostream& operator<<(std::ostream& out, const MismatchCase& c) { return out << c.name; }

const MismatchCase kMismatches[] = {
    {"the same everywhere", {"a", "b", "c"}, {"a", "b", "c"}, {"a", "b", "c"}},
    {"valid lacks the first class", {"a", "b", "c"}, {"b", "c"}, {"a", "b", "c"}},
    {"valid lacks the last class", {"a", "b", "c"}, {"a", "b"}, {"a", "b", "c"}},
    {"test has one class only", {"a", "b", "c"}, {"a", "b", "c"}, {"b"}},
    {"valid has a class more", {"a", "b"}, {"a", "b", "c"}, {}, {}, "a class folder that", "\"c\""},
    {"test has a class more", {"a", "b"}, {"a", "b"}, {"0", "a", "b"}, {}, "test has a class folder that", "\"0\""},
    {"train lacks a class", {"a", "c"}, {"a", "b", "c"}, {}, {}, "valid has a class folder", "\"b\""},
    {"renamed in valid", {"ace", "two"}, {"Ace", "two"}, {}, {}, "\"Ace\"", "and lacks \"ace\""},
    {"renamed in train",
     {"ace of spade", "two"},
     {"ace of spades", "two"},
     {},
     {},
     "\"ace of spades\"",
     "lacks \"ace of spade\""},
    {"a blank at the end", {"ace", "two"}, {"ace ", "two"}, {}, {}, "\"ace \"", "lacks \"ace\""},
    {"nothing in common", {"a", "b"}, {"x", "y"}, {}, {}, "class folders that", "\"x\", \"y\", and lacks \"a\", \"b\""},
    {"many unknown", {"a"}, {"1", "2", "3", "4", "5", "6", "7"}, {}, {}, "and 2 more"},
    {"names that numbers would sort otherwise", {"10", "2", "1"}, {"1", "10", "2"}, {"2", "10"}},
    {"upper case before lower case", {"b", "B", "a", "A"}, {"A", "B", "a", "b"}, {}},
    {"other alphabets", {"Às de pique", "Ас пик", "黑桃"}, {"黑桃", "Às de pique"}, {}},
    {"a checkpoint of the same classes", {"a", "b"}, {"b"}, {}, {"a", "b"}},
    {"a checkpoint that knows more", {"b"}, {"b"}, {}, {"a", "b", "c"}},
    {"a checkpoint that knows less",
     {"a", "b", "joker"},
     {"a"},
     {},
     {"a", "b"},
     "the model does not know",
     "\"joker\""},
    {"a checkpoint of another set",
     {"a", "b"},
     {},
     {},
     {"cat", "dog"},
     "the model does not know",
     "lacks \"cat\", \"dog\""},
    {"a checkpoint, and valid has a class more",
     {"a", "b"},
     {"a", "b", "z"},
     {},
     {"a", "b"},
     "valid has a class folder",
     "\"z\""},
};

class ClassFolders : public testing::TestWithParam<MismatchCase> {};

TEST_P(ClassFolders, AreMatchedByNameOrRefusedByName) {
  const MismatchCase& c = GetParam();
  const TemporaryFolder folder;
  make_split(folder / "train", c.train);
  if (!c.valid.empty()) make_split(folder / "valid", c.valid);
  if (!c.test.empty()) make_split(folder / "test", c.test);
  const DatasetOptions options{.root = folder.path(), .classes = c.known};
  if (c.error != nullptr) {
    EXPECT_THAT(error_text([&] { scan_dataset(options); }), testing::AllOf(HasSubstr(c.error), HasSubstr(c.error_too)));
    return;
  }
  const Dataset set = scan_dataset(options);
  expect_labels_by_name(set);
  EXPECT_TRUE(std::is_sorted(set.classes.begin(), set.classes.end()));
  EXPECT_EQ(set.train.size() + set.valid.size() + set.test.size(),
            2 * (c.train.size() + c.valid.size() + c.test.size()));
}

INSTANTIATE_TEST_SUITE_P(TwentyCases, ClassFolders, testing::ValuesIn(kMismatches));
static_assert(std::size(kMismatches) == 20);

TEST(ScanDataset, TakesSplitsFromARootOrOneByOne) {
  const TemporaryFolder folder;
  make_split(folder / "train", {"b", "a"});
  make_split(folder / "validation", {"a", "b"}, 1);
  make_split(folder / "elsewhere", {"b"}, 3);
  const Dataset whole = scan_dataset({.root = folder.path()});
  EXPECT_EQ(whole.layout, DatasetLayout::kSplits);
  EXPECT_THAT(whole.classes, ElementsAre("a", "b"));
  EXPECT_EQ(whole.train.size(), 4u);
  EXPECT_EQ(whole.valid.size(), 2u);
  EXPECT_EQ(whole.valid_source, "valid");
  ASSERT_EQ(whole.skipped.size(), 1u);
  EXPECT_THAT(whole.skipped[0].path, HasSubstr("elsewhere"));

  const Dataset parts = scan_dataset({.train = folder / "train", .test = folder / "elsewhere", .holdout = 0});
  EXPECT_EQ(parts.test.size(), 3u);
  EXPECT_EQ(parts.test[0].label, 1);
  EXPECT_THAT(parts.valid, IsEmpty());
}

TEST(ScanDataset, TakesABareFolderOfClassFoldersWhole) {
  const TemporaryFolder folder;
  make_split(folder.path(), {"ace", "test"}, 3);  // a class may be called test
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  EXPECT_EQ(set.layout, DatasetLayout::kBare);
  EXPECT_THAT(set.classes, ElementsAre("ace", "test"));
  EXPECT_EQ(set.train.size(), 6u);
}

TEST(ScanDataset, TakesARootThatHasOnlyATest) {
  const TemporaryFolder folder;
  make_split(folder / "test", {"a", "b"});
  const Dataset set = scan_dataset({.root = folder.path(), .classes = {"a", "b", "c"}});
  EXPECT_EQ(set.test.size(), 4u);
  EXPECT_THAT(set.train, IsEmpty());
}

TEST(ScanDataset, ListsPicturesInTheOrderOfTheirNames) {
  const TemporaryFolder folder;
  for (const char* name : {"10.jpg", "9.JPG", "1.jpeg"}) write(folder.path() / "a" / name, {1});
  write(folder.path() / "b" / "x.png", {1});
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  Names names;
  for (const Sample& sample : set.train) names.push_back(fs::path(sample.path).filename());
  EXPECT_THAT(names, ElementsAre("1.jpeg", "10.jpg", "9.JPG", "x.png"));
}

TEST(ScanDataset, SaysWhatIsWrongWithAFolder) {
  const TemporaryFolder folder;
  const auto refusal = [](const DatasetOptions& options) { return error_text([&] { scan_dataset(options); }); };
  EXPECT_THAT(refusal({.root = folder / "nowhere"}), testing::AllOf(HasSubstr("nowhere"), HasSubstr("No such file")));

  for (int i = 0; i < 12; ++i) write(folder.path() / "flat" / (std::to_string(i) + ".jpg"), {1});
  EXPECT_THAT(refusal({.root = folder / "flat"}), HasSubstr("found 12 pictures and no folder"));

  make_split(folder / "holes", {"a", "b"});
  fs::create_directories(folder.path() / "holes" / "empty one");
  EXPECT_THAT(refusal({.root = folder / "holes"}),
              testing::AllOf(HasSubstr("empty one"), HasSubstr("holds no picture")));

  make_split(folder / "both/train", {"a"});
  make_split(folder / "both/valid", {"a"});
  make_split(folder / "both/val", {"a"});
  EXPECT_THAT(refusal({.root = folder / "both"}), HasSubstr("which one is valid?"));
  EXPECT_THAT(refusal({.root = folder / "both", .train = folder / "both/train"}), HasSubstr("not both"));

  make_split(folder / "latin1", {"caf\xE9"});
  EXPECT_THAT(refusal({.root = folder / "latin1"}), HasSubstr("caf\\xE9"));
}

Names names_of(const std::vector<Sample>& samples) {
  Names names;
  for (const Sample& sample : samples)
    names.push_back(class_of(sample) + "/" + fs::path(sample.path).filename().string());
  return names;
}

TEST(Holdout, IsDecidedByTheNameAlone) {
  const TemporaryFolder here, there;
  make_split(here / "train", {"ace", "king"}, 200);
  make_split(there / "other", {"ace", "king"}, 150);  // fifty fewer, in another place
  const Dataset all = scan_dataset({.root = here.path()});
  const Dataset fewer = scan_dataset({.train = there / "other"});
  EXPECT_EQ(all.valid_source, "10 % of train, by a hash of the name");
  EXPECT_NEAR(static_cast<double>(all.valid.size()), 40, 18);  // three standard deviations
  EXPECT_EQ(all.train.size() + all.valid.size(), 400u);
  expect_labels_by_name(all);
  const Names of_all = names_of(all.valid);
  for (const std::string& name : names_of(fewer.valid)) EXPECT_THAT(of_all, testing::Contains(name));
}

// Written down so that no later version moves a picture from one split to the other. The hash of a name:
//   printf '%s' 'ace/3.jpg' | sha256sum | cut -c 1-16    divided by 2^64
TEST(Holdout, IsTheSameInEveryVersion) {
  const TemporaryFolder folder;
  make_split(folder / "train", {"ace"}, 40);
  EXPECT_THAT(names_of(scan_dataset({.root = folder.path()}).valid),
              ElementsAre("ace/18.jpg", "ace/22.jpg", "ace/25.jpg", "ace/32.jpg", "ace/35.jpg", "ace/37.jpg",
                          "ace/6.jpg", "ace/8.jpg", "ace/9.jpg"));
}

TEST(Holdout, NeverTakesAClassWhole) {
  const TemporaryFolder folder;
  make_split(folder / "train", {"a", "b", "c", "d", "e", "f"}, 1);
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0.9});
  EXPECT_EQ(set.train.size(), 6u);
  expect_labels_by_name(set);
}

}  // namespace
}  // namespace cudacards
