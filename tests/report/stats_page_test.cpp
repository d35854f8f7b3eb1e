// The page tells what is there and what is wrong with it, and takes no name for markup.

#include "host/report/stats_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_support::TemporaryFolder;
using testing_support::write_class;

class StatsPage : public testing::Test {
 protected:
  StatsPage() {
    write_class(folder_.path() / "train" / "<i>ace", 8, 1, 24);
    write_class(folder_.path() / "train" / "two", 2, 2, 16);
    write_class(folder_.path() / "valid" / "two", 1, 3, 16);
  }
  std::string page() const {
    return stats_html(dataset_stats(scan_dataset({.root = folder_.path()})), check_dataset({.root = folder_.path()}),
                      folder_.path());
  }
  const TemporaryFolder folder_;
};

TEST_F(StatsPage, TellsCountsSizesAndImbalance) {
  const std::string html = page();
  EXPECT_THAT(html, AllOf(HasSubstr("Pictures<b>11</b><span class=\"faint\">10 train, 1 valid"),
                          HasSubstr("Imbalance<b>4.0 : 1</b>"), HasSubstr("&lt;i&gt;ace has 8, two has 2")));
  EXPECT_THAT(html, AllOf(HasSubstr("<svg class=\"chart\""), HasSubstr("24 x 24"), HasSubstr("72.7\u00A0%")));
  EXPECT_THAT(html, Not(HasSubstr("<i>")));
  EXPECT_THAT(html, HasSubstr("<td>valid</td><td class=\"number\">1</td><td class=\"number\">0.5</td>"
                              "<td class=\"number\">0 (&lt;i&gt;ace)</td>"))
      << "a class without a picture counts";
}

TEST_F(StatsPage, SaysNothingOfWhatIsNotWrong) {
  const std::string html = page();
  for (const char* title : {"<h2>Duplicates", "<h2>Bad files", "<h2>Skipped"}) EXPECT_THAT(html, Not(HasSubstr(title)));
  EXPECT_THAT(html, HasSubstr("<h2>Classes that differ between splits")) << "valid lacks one";
}

TEST_F(StatsPage, ShowsDuplicatesAndNamesBadFiles) {
  fs::copy(folder_ / "train/two/000.jpg", folder_ / "train/<i>ace/<b>.jpg");
  testing_support::write(folder_.path() / "train" / "two" / "<u>bad.jpg", {1, 2, 3});
  testing_support::write(folder_.path() / "train" / "two" / "notes.txt", {1});
  const std::string html = page();
  EXPECT_THAT(html, AllOf(HasSubstr("Duplicates<b>1</b>"), HasSubstr("train/&lt;i&gt;ace/&lt;b&gt;.jpg"),
                          HasSubstr("under different classes: one label is wrong"), HasSubstr("data:image/jpeg")));
  EXPECT_THAT(html, AllOf(HasSubstr("<td>train/two/&lt;u&gt;bad.jpg</td>"), HasSubstr("train/two/notes.txt"),
                          Not(HasSubstr("<b>.jpg")), Not(HasSubstr("<u>"))));
}

TEST_F(StatsPage, HasNoRatioWhereAClassIsEmpty) {
  DatasetStats stats{.classes = {"a", "b"}, .splits = {}, .sizes = {}};
  stats.splits.push_back({.name = "train", .counts = {3, 0}, .total = 3, .smallest = 0, .largest = 3, .mean = 1.5});
  EXPECT_THAT(stats_html(stats, {}, "x"), HasSubstr("a class is empty"));
  EXPECT_THAT(stats_html({}, {}, "x"), HasSubstr("Pictures<b>0</b>"));
}

}  // namespace
}  // namespace cudacards
