// The list of downloads, and fetching from file:// addresses: going on, verifying, refusing.

#include "weights/manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "host/runtime/sha256.h"
#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "weights/fetch.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

std::string digest_of(const std::string& bytes) {
  return hex(sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
}

TEST(Manifest, TheBuiltInOneIsWhole) {
  const auto entries = builtin_manifest();
  ASSERT_FALSE(entries.empty());
  for (const ManifestEntry& entry : entries) EXPECT_TRUE(entry.url.starts_with("https://")) << entry.name;
  EXPECT_THAT(
      error_text([&] { find_entry(entries, "mobilenet_v2_1.0_224_tflit"); }),
      HasSubstr("no weights named \"mobilenet_v2_1.0_224_tflit\", did you mean \"mobilenet_v2_1.0_224_tflite\""));
}

TEST(Manifest, RefusesEntriesThatAreNotWhole) {
  const std::string digest(64, 'a');
  const auto entry = [](const std::string& file, const std::string& size, const std::string& sha256) {
    return fmt::format("[w]\ndescription='d'\nfile='{}'\nurl='file:///x'\nsize={}\nsha256='{}'\nlicence='l'\n", file,
                       size, sha256);
  };
  const auto refusal = [](const std::string& text) { return error_text([&] { parse_manifest(text, "M"); }); };
  EXPECT_EQ(refusal(entry("w.bin", "1", digest)), "(no error)");
  EXPECT_THAT(refusal("[w"), HasSubstr("M: not TOML in line 1"));
  EXPECT_EQ(refusal("w = 1"), "M: \"w\" is not an entry, [w]");
  EXPECT_EQ(refusal("[w]\nfile='w.bin'"), "M: the entry \"w\" has no description");
  EXPECT_EQ(refusal("[w]\nsha1='x'"), "M: the entry \"w\" has the unknown key \"sha1\"");
  EXPECT_THAT(refusal(entry("w.bin", "0", digest)), HasSubstr("has no size"));
  EXPECT_THAT(refusal(entry("w.bin", "1", "abc")), HasSubstr("64 lower-case hexadecimal digits"));
  for (const char* file : {"../w.bin", "/w.bin", ".w", "a/b", "a b"})
    EXPECT_THAT(refusal(entry(file, "1", digest)), HasSubstr("a file that is no plain name")) << file;
}

class Fetch : public testing::Test {
 protected:
  void SetUp() override {
    if (!built_with_fetch()) GTEST_SKIP() << "skipped: built without libcurl";
    write_bytes(folder_ / "served.bin", bytes_);
  }
  ManifestEntry entry() const {
    return {"w", "weights", "w.bin", "file://" + folder_ / "served.bin", digest_of(bytes_), "none", bytes_.size()};
  }
  std::string fetch(const ManifestEntry& e) { return fetch_weights(e, out_, progress_); }

  const TemporaryFolder folder_;
  const std::string bytes_ = std::string(300'000, 'w') + "end";
  const std::string out_ = folder_ / "out", file_ = out_ + "/w.bin", part_ = file_ + ".part";
  std::uint64_t first_ = 0;  // what the first report of progress said
  FetchProgress progress_ = [this](std::uint64_t have, std::uint64_t) { first_ = first_ == 0 ? have : first_; };
};

TEST_F(Fetch, VerifiesAndThenRenames) {
  EXPECT_EQ(fetch(entry()), file_);
  EXPECT_EQ(read_bytes(file_), bytes_);
  EXPECT_FALSE(fs::exists(part_));
  EXPECT_LT(first_, bytes_.size()) << "it came in pieces";
  fs::remove(folder_ / "served.bin");
  EXPECT_EQ(fetch(entry()), file_) << "what is there and right is not fetched again";
}

TEST_F(Fetch, GoesOnWhereItStopped) {
  fs::create_directories(out_);
  write_bytes(part_, bytes_.substr(0, 250'000));
  EXPECT_EQ(fetch(entry()), file_);
  EXPECT_GT(first_, 250'000u);
  EXPECT_EQ(read_bytes(file_), bytes_);
}

TEST_F(Fetch, RemovesWhatIsNotTheFile) {
  ManifestEntry other = entry();
  other.sha256 = digest_of("other");
  EXPECT_THAT(error_text([&] { fetch(other); }), HasSubstr("gave another file, which was removed"));
  EXPECT_FALSE(fs::exists(part_));
  EXPECT_FALSE(fs::exists(file_));
  fs::create_directories(out_);
  write_bytes(part_, std::string(250'000, 'x'));  // left by another file of that name
  EXPECT_THAT(error_text([&] { fetch(entry()); }), HasSubstr("which was removed"));
  EXPECT_EQ(fetch(entry()), file_) << "the next attempt starts anew";
}

TEST_F(Fetch, StopsAtTheSizeThatWasSaid) {
  ManifestEntry shorter = entry();
  shorter.size = 1000;
  EXPECT_THAT(error_text([&] { fetch(shorter); }), HasSubstr("gives more than the 1000 bytes of w"));
  EXPECT_FALSE(fs::exists(part_));
  ManifestEntry longer = entry();
  longer.size += 1;
  EXPECT_THAT(error_text([&] { fetch(longer); }),
              HasSubstr("the file ends too early; 300003 of 300004 bytes are kept"));
  EXPECT_TRUE(fs::exists(part_));
}

TEST_F(Fetch, LeavesAWrongFileOfThatNameAlone) {
  fs::create_directories(out_);
  write_bytes(file_, "mine");
  EXPECT_THAT(error_text([&] { fetch(entry()); }), HasSubstr("has 4 bytes, w has 300003"));
  EXPECT_EQ(read_bytes(file_), "mine");
}

TEST_F(Fetch, SaysWhyThereIsNothing) {
  ManifestEntry gone = entry();
  gone.url += "x";
  EXPECT_THAT(error_text([&] { fetch(gone); }), HasSubstr("cannot fetch " + gone.url));
  gone.url = "ftp://127.0.0.1/w";
  EXPECT_THAT(error_text([&] { fetch(gone); }), HasSubstr("cannot fetch ftp://"));
}

}  // namespace
}  // namespace cudacards
