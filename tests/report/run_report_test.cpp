// The page tells what the run's figures are, needs nothing from outside, and takes no name for markup.

#include "host/report/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing::Not;

RunReport small_report(const std::string& name) {
  RunReport report{.name = name,
                   .about = {{"model", "cnn"}, {"seed", name}},
                   .command = "cudacards train",
                   .config = "a = 1\nb = 2\n"};
  for (int epoch = 1; epoch <= 3; ++epoch) {
    EpochMetrics m{
        .epoch = epoch, .loss = 1.0 / epoch, .accuracy = 0.3 * epoch, .val_loss = 2.0 / epoch, .val_accuracy = 0.5};
    m.seconds = 60;
    report.epochs.push_back(m);
  }
  SplitResult split{
      .name = "valid", .loss = 0.25, .top5_accuracy = 1, .confusion = Confusion({"ace of clubs", "ace of spades"})};
  split.confusion.add(0, 0, 8);
  split.confusion.add(1, 0, 2);
  split.mistakes.push_back({.path = "valid/ace of spades/1.jpg",
                            .truth = "ace of spades",
                            .guess = "ace of clubs",
                            .probability = 0.91,
                            .probability_of_truth = 0.07,
                            .picture = {"1.jpg", 4, 4, {0xFF, 0xD8}}});
  report.splits.push_back(split);
  return report;
}

// Newcombe, "Two-sided confidence intervals for the single proportion", Statist. Med. 1998, table I, method 3.
TEST(WilsonInterval, IsAsPublished) {
  const Interval first = wilson_interval(81, 263), second = wilson_interval(15, 148), none = wilson_interval(0, 20);
  EXPECT_NEAR(first.low, 0.2553, 5e-5);
  EXPECT_NEAR(first.high, 0.3662, 5e-5);
  EXPECT_NEAR(second.low, 0.0624, 5e-5);
  EXPECT_NEAR(second.high, 0.1605, 5e-5);
  EXPECT_NEAR(none.low, 0, 1e-12);
  EXPECT_NEAR(none.high, 0.1611, 5e-5);
}

TEST(WilsonInterval, KnowsNothingOfNoPictures) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(RunReport, KeepsTheEpochWithTheLowerLossOfEqualAccuracies) {
  EXPECT_EQ(small_report("run").best_epoch()->epoch, 3);
  EXPECT_EQ(RunReport().best_epoch(), nullptr);
}

TEST(RunReport, TellsFiguresWithTheirInterval) {
  const std::string page = run_report_html(small_report("cnn-1"));
  EXPECT_THAT(page, HasSubstr("<h1>cnn-1</h1>"));
  EXPECT_THAT(page, HasSubstr("Validation accuracy<b>80.0\u00A0%</b>"));
  EXPECT_THAT(page, HasSubstr("8 of 10 pictures; 95 % interval 49.0 to 94.3 %"));
  EXPECT_THAT(page, HasSubstr("Training time<b>3:00</b>"));
  EXPECT_THAT(page, HasSubstr("<b>ace of clubs</b> 91.0\u00A0%<br>is ace of spades, 7.0\u00A0%"));
  EXPECT_THAT(page, HasSubstr("Right rank: 100.0\u00A0%. Right suit: 80.0\u00A0%."));
  EXPECT_THAT(page, HasSubstr("a = 1\nb = 2\n"));
}

TEST(RunReport, NeedsNothingFromOutside) {
  const std::string page = run_report_html(small_report("run"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<link")));
  EXPECT_THAT(page, Not(HasSubstr("href=")));
  EXPECT_THAT(page, Not(HasSubstr("src=\"http")));
  EXPECT_THAT(page, HasSubstr("src=\"data:image/jpeg;base64,/9g=\""));
}

TEST(RunReport, TakesNoNameForMarkup) {
  const std::string evil = "<img src=x onerror=alert(1)>";
  RunReport report = small_report(evil);
  report.about = {{evil, evil}};
  report.environment = {{evil, evil}};
  report.command = report.config = evil;
  report.notes = {evil};
  report.splits[0].confusion.classes = {evil, "b"};
  report.splits[0].mistakes[0].path = report.splits[0].mistakes[0].truth = report.splits[0].mistakes[0].guess = evil;
  report.splits[0].mistakes[0].picture.caption = "\" onload=\"alert(1)";
  report.training_pictures = {{evil, 1, 1, {}}};
  report.class_counts = BarChart{.title = evil, .series = {evil}, .rows = {{evil, {1}}}};
  report.profile = Profile{
      .arch = evil, .device = evil, .batch = 1, .rows = {{.name = evil, .implementation = evil}}, .step_seconds = 1};
  for (const std::string& page : {run_report_html(report), comparison_html({report, report})}) {
    EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
    EXPECT_THAT(page, Not(HasSubstr("\" onload=\"")));
  }
}

TEST(RunReport, SaysThatNothingHasBeenFinished) {
  const std::string page = run_report_html({.name = "new"});
  EXPECT_THAT(page, HasSubstr("No epoch has been finished."));
  EXPECT_THAT(page, Not(HasSubstr("Final figures")));
}

TEST(Comparison, TellsWhatDiffersApartFromWhatIsShared) {
  const std::string page = comparison_html({small_report("one"), small_report("two")});
  const std::size_t shared = page.find("The same in all:");
  ASSERT_NE(shared, std::string::npos);
  EXPECT_LT(page.find("<td>seed</td><td>one</td><td>two</td>"), shared);
  EXPECT_GT(page.find("<th>model</th><td>cnn</td>"), shared);
  EXPECT_THAT(
      page,
      HasSubstr("<td>valid, top-1</td><td class=\"number\">80.0\u00A0%</td><td class=\"number\">80.0\u00A0%</td>"));
  EXPECT_THAT(page, Not(HasSubstr("test, top-1")));  // neither has one
}

}  // namespace
}  // namespace cudacards
