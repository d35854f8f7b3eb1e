// The page shows both pictures of each pair, takes no name for markup, and outlives a file that has gone.

#include "host/report/near_duplicates_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class NearDuplicatesReport : public testing::Test {
 protected:
  NearDuplicatesReport() {
    testing_support::write_class(folder_.path() / "train" / "<i>a", 2, 1);
    const std::string a = folder_ / "train/<i>a/000.jpg", b = folder_ / "train/<i>a/001.jpg";
    found_ = {.pictures = 2, .bad = {{"<u>bad.jpg", "empty <file>"}}, .pairs = {}};
    found_.pairs.push_back({{a, "train", "<i>a"}, {b, "valid", "b"}, 0.25});
    found_.pairs.push_back({{a, "train", "<i>a"}, {b, "train", "b"}, 0.125});
    found_.pairs.push_back({{a, "train", "<i>a"}, {b, "train", "<i>a"}, 0});
  }
  std::string page(std::size_t top = 100) const { return near_duplicates_html(found_, folder_.path(), top); }

  const testing_support::TemporaryFolder folder_;
  NearDuplicates found_;
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST_F(NearDuplicatesReport, ShowsBothPicturesOfEachPair) {
  const std::string html = page();
  EXPECT_EQ(count(html, "data:image/jpeg"), 6u);
  EXPECT_THAT(html, AllOf(HasSubstr("<h2>In two splits</h2>"), HasSubstr("<h2>Under two classes</h2>"),
                          HasSubstr("<h2>In one class</h2>")));
  EXPECT_THAT(html, HasSubstr("<b>&lt;i&gt;a</b><br>train/&lt;i&gt;a/000.jpg")) << "from the folder on";
}

TEST_F(NearDuplicatesReport, TakesNoNameForMarkup) {
  EXPECT_THAT(page(), AllOf(Not(HasSubstr("<i>")), Not(HasSubstr("<u>")), HasSubstr("&lt;u&gt;bad.jpg"),
                            HasSubstr("empty &lt;file&gt;")));
}

TEST_F(NearDuplicatesReport, ShowsAsManyAsItIsAskedFor) {
  const std::string html = page(1);
  EXPECT_EQ(count(html, "data:image/jpeg"), 2u);
  EXPECT_THAT(html, HasSubstr("0 of 1 are shown"));
  EXPECT_THAT(near_duplicates_sheet(found_, folder_.path(), 2).rows, SizeIs(2));
}

TEST_F(NearDuplicatesReport, SaysWhatEachPairMeans) {
  EXPECT_STREQ(meaning_of(found_.pairs[0]), "in two splits and under two classes");
  EXPECT_STREQ(meaning_of(found_.pairs[1]), "under two classes");
  EXPECT_STREQ(meaning_of(found_.pairs[2]), "in one class");
  const ContactSheet sheet = near_duplicates_sheet(found_, folder_.path(), 100);
  EXPECT_EQ(sheet.rows[1].title, "under two classes");
  EXPECT_THAT(sheet.rows[1].notes, testing::ElementsAre("train/<i>a/000.jpg", "train/<i>a/001.jpg", "difference 0.12"));
  EXPECT_THAT(sheet.rows[1].pictures, SizeIs(2));
}

TEST_F(NearDuplicatesReport, OutlivesAFileThatHasGone) {
  std::filesystem::remove(folder_.path() / "train/<i>a/001.jpg");
  const std::string html = page();
  EXPECT_EQ(count(html, "data:image/jpeg"), 3u);
  EXPECT_EQ(count(html, "cannot be read any more"), 3u);
  EXPECT_THAT(near_duplicates_sheet(found_, folder_.path(), 100).rows, SizeIs(0));
}

}  // namespace
}  // namespace cudacards
