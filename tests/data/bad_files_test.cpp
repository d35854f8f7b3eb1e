// A folder as it comes from the wild: bad files are named and left out, good ones never are, and nothing in the folder
// changes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "host/data/check.h"
#include "host/data/dataset.h"
#include "host/data/files.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::jpeg;
using testing_support::picture;
using testing_support::TemporaryFolder;
using testing_support::write;
using testing_support::write_class;

using Bytes = testing_support::Bytes;

Bytes text(std::string_view words) { return {words.begin(), words.end()}; }

/// Of every entry: kind, permissions, time of change and contents.
std::map<std::string, std::string> snapshot(const fs::path& root) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat info {};
    EXPECT_EQ(lstat(entry.path().c_str(), &info), 0);
    std::string state = std::to_string(info.st_mode) + ' ' + std::to_string(info.st_size) + ' ' +
                        std::to_string(info.st_mtim.tv_sec) + '.' + std::to_string(info.st_mtim.tv_nsec) + ' ';
    if (S_ISREG(info.st_mode)) {
      std::ifstream file(entry.path(), std::ios::binary);
      state.append(std::istreambuf_iterator<char>(file), {});
    }
    entries[entry.path()] = state;
  }
  return entries;
}

struct Planted {
  std::string name;    // as it is printed
  const char* reason;  // part of what is said about it
};

/// Twelve bad files of twelve kinds among 228 good pictures: 5 %.
std::vector<Planted> plant(const fs::path& root) {
  for (const char* name : {"clubs", "hearts", "spades"})
    write_class(root / name, 76, static_cast<std::uint32_t>(name[0]));
  const Bytes good = jpeg(picture(16, 16, 99));
  write(root / "clubs" / ".DS_Store", text("Bud1"));
  write(root / "clubs" / "Thumbs.db", text("\xD0\xCF\x11\xE0"));
  write(root / "clubs" / "empty.jpg", {});
  fs::create_directories(root / "clubs" / "folder.jpg");
  fs::create_symlink("loop.jpg", root / "hearts" / "loop.jpg");
  fs::create_symlink("gone.jpg", root / "hearts" / "dangling.jpg");
  write(root / "hearts" / "caf\xE9.jpg", good);
  write(root / "hearts" / "cut.jpg", Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(good.size() / 2)));
  write(root / "spades" / "page.jpg", text("<!DOCTYPE html><title>404</title>"));
  write(root / "spades" / "animation.jpg", text("GIF89a\1\0\1\0"));
  EXPECT_EQ(mkfifo((root / "spades" / "pipe.jpg").c_str(), 0600), 0);
  write(root / "spades" / "notes.txt", text("found at the flea market"));
  return {{".DS_Store", "hidden"},       {"Thumbs.db", "file manager"}, {"empty.jpg", "empty file"},
          {"folder.jpg", "a folder"},    {"loop.jpg", "circle"},        {"dangling.jpg", "nothing"},
          {"caf\\xE9.jpg", "not UTF-8"}, {"cut.jpg", "truncated"},      {"page.jpg", "a web page"},
          {"animation.jpg", "a GIF"},    {"pipe.jpg", "not a regular"}, {"notes.txt", "by its name"}};
}

void expect_all_listed(const std::vector<Planted>& planted, std::vector<BadFile> listed) {
  EXPECT_EQ(listed.size(), planted.size()) << "as many as were planted: no false alarm";
  for (const Planted& bad : planted) {
    const auto at = std::find_if(listed.begin(), listed.end(),
                                 [&](const BadFile& file) { return file.path.ends_with("/" + bad.name); });
    ASSERT_NE(at, listed.end()) << bad.name;
    EXPECT_THAT(at->reason, HasSubstr(bad.reason)) << bad.name;
  }
}

TEST(BadFiles, AreAllListedAndTheFolderStaysAsItWas) {
  const TemporaryFolder folder;
  const std::vector<Planted> planted = plant(folder.path());
  const auto before = snapshot(folder.path());

  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  const Pictures pictures = decode_pictures(set.train, 16, 16, 0.10, set.classes);
  EXPECT_EQ(pictures.size(), 228);
  std::vector<BadFile> listed = set.skipped;
  listed.insert(listed.end(), pictures.bad().begin(), pictures.bad().end());
  expect_all_listed(planted, listed);

  const DatasetCheck check = check_dataset({.root = folder.path()});
  EXPECT_FALSE(check.passes());
  listed = check.skipped;
  listed.insert(listed.end(), check.bad.begin(), check.bad.end());
  expect_all_listed(planted, listed);

  EXPECT_EQ(snapshot(folder.path()), before);
}

TEST(BadFiles, LeaveTheOrderOfTheOthersAsItIs) {
  const TemporaryFolder folder;
  write_class(folder.path() / "a", 9, 1);
  write(folder.path() / "a" / "003.jpg", text("no picture"));
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  const Pictures pictures = decode_pictures(set.train, 16, 16, 0.2, set.classes);
  ASSERT_EQ(pictures.size(), 8);
  for (std::int64_t i = 0; i < 8; ++i) {
    std::vector<Sample> alone = {set.train[static_cast<std::size_t>(i < 3 ? i : i + 1)]};
    EXPECT_EQ(pictures.sample(i).path, alone[0].path);
    const Pictures one = decode_pictures(alone, 16, 16, 0, set.classes);
    EXPECT_TRUE(std::equal(pictures.pixels(i), pictures.pixels(i) + 16 * 16 * 3, one.pixels(0))) << i;
  }
}

TEST(BadFiles, AboveTheLimitFailTheRun) {
  const TemporaryFolder folder;
  write_class(folder.path() / "a", 20, 1);
  for (const char* name : {"004.jpg", "007.jpg"}) write(folder.path() / "a" / name, text("no picture"));
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  EXPECT_EQ(decode_pictures(set.train, 8, 8, 0.10, set.classes).bad().size(), 2u)
      << "10 % exactly is still within the limit";
  write(folder.path() / "a" / "009.jpg", {});
  EXPECT_THAT(
      error_text([&] { decode_pictures(set.train, 8, 8, 0.10, set.classes); }),
      testing::AllOf(HasSubstr("3 of 20 pictures are bad"), HasSubstr("10 %"), HasSubstr("004.jpg (not a picture")));
}

TEST(BadFiles, ThatEmptyAClassFailTheRun) {
  const TemporaryFolder folder;
  write_class(folder.path() / "a", 30, 1);
  write(folder.path() / "ace of spades" / "1.jpg", text("no picture"));
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  EXPECT_THAT(error_text([&] { decode_pictures(set.train, 8, 8, 0.10, set.classes); }),
              testing::AllOf(HasSubstr("no picture of \"ace of spades\""), HasSubstr("1.jpg (not a picture")));
}

TEST(BadFiles, OfNoneThereIsNothingToSay) { EXPECT_EQ(decode_pictures({}, 8, 8, 0.1, {}).size(), 0); }

TEST(Printable, EscapesWhatATerminalShouldNotSee) {
  EXPECT_EQ(printable("ace of ♠.jpg"), "ace of ♠.jpg");
  EXPECT_EQ(printable("a\nb\x1B[2J\x7F"), "a\\x0Ab\\x1B[2J\\x7F");
  EXPECT_EQ(printable("\xC0\xAF \xED\xA0\x80 \xF4\x90\x80\x80 \xE9"),
            "\\xC0\\xAF \\xED\\xA0\\x80 \\xF4\\x90\\x80\\x80 \\xE9");
}

}  // namespace
}  // namespace cudacards
