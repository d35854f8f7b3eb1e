#include "host/report/run_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "host/report/class_report.h"
#include "host/report/html_page.h"
#include "host/report/line_chart_svg.h"
#include "host/report/markup.h"
#include "host/report/progress.h"

namespace cudacards {
namespace {

/// Of 1, held together where a line breaks.
std::string percent(double share) { return fmt::format("{:.1f}\u00A0%", 100 * share); }

Interval interval_of(const SplitResult& split) {
  return wilson_interval(split.confusion.correct(), split.confusion.total());
}

std::string interval_text(const SplitResult& split) {
  const Interval interval = interval_of(split);
  return fmt::format("{:.1f} to {:.1f} %", 100 * interval.low, 100 * interval.high);
}

LineChart::Series series_of(const RunReport& report, const std::string& label, double EpochMetrics::*figure,
                            bool dashed = false) {
  LineChart::Series series{.label = label, .x = {}, .y = {}, .dashed = dashed};
  for (const EpochMetrics& epoch : report.epochs) {
    series.x.push_back(static_cast<double>(epoch.epoch));
    series.y.push_back(epoch.*figure);
  }
  return series;
}

// ---- the page of one run

std::string headline(const RunReport& report) {
  std::vector<KeyFigure> figures;
  for (const SplitResult& split : report.splits) {
    figures.push_back({split.name == "test" ? "Test accuracy" : "Validation accuracy", percent(split.accuracy()),
                       fmt::format("{} of {} pictures; 95 % interval {}", split.confusion.correct(),
                                   split.confusion.total(), interval_text(split))});
  }
  if (const EpochMetrics* best = report.best_epoch()) {
    figures.push_back({"Best epoch", fmt::format("{}", best->epoch),
                       fmt::format("of {}, by validation accuracy", report.epochs.size())});
  }
  figures.push_back(
      {"Training time", duration_text(total_seconds(report.epochs)), fmt::format("{} epochs", report.epochs.size())});
  return fmt::format("<h1>{}</h1>\n", escape_markup(report.name)) + html_key_figures(figures);
}

std::string notes(const RunReport& report) {
  std::string text;
  for (const std::string& note : report.notes) text += fmt::format("<p class=\"faint\">{}</p>\n", escape_markup(note));
  return text;
}

std::string curves(const RunReport& report) {
  if (report.epochs.empty()) return "<p>No epoch has been finished.</p>\n";
  const LineChart loss{.title = "Loss",
                       .series = {series_of(report, "training", &EpochMetrics::loss),
                                  series_of(report, "validation", &EpochMetrics::val_loss)}};
  const LineChart accuracy{.title = "Accuracy",
                           .series = {series_of(report, "training", &EpochMetrics::accuracy),
                                      series_of(report, "validation", &EpochMetrics::val_accuracy)},
                           .is_share = true};
  const LineChart rate{.title = "Learning rate", .series = {series_of(report, "rate", &EpochMetrics::rate)}};
  const LineChart speed{.title = "Speed",
                        .series = {series_of(report, "training pictures a second", &EpochMetrics::images_per_second)}};
  return "<p>Training figures are means over the epoch's steps, with augmentation, dropout and label smoothing on, so "
         "that "
         "they may be worse than those of the validation, which are of whole pictures after the epoch.</p>\n"
         "<div class=\"charts\">\n" +
         line_chart_svg(loss) + line_chart_svg(accuracy) + line_chart_svg(rate) + line_chart_svg(speed) + "</div>\n";
}

std::string final_figures(const RunReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const SplitResult& split : report.splits) {
    rows.push_back({split.name, fmt::format("{}", split.confusion.total()), fmt::format("{:.4f}", split.loss),
                    percent(split.accuracy()), interval_text(split), percent(split.top5_accuracy)});
  }
  std::string text = html_table({"Split", "Pictures", "Loss", "Top-1", "95 % interval", "Top-5"}, rows, 1);
  text +=
      "<p class=\"faint\">Of the weights with the best validation accuracy. They were chosen by it, so the "
      "validation's "
      "figure flatters; a test split has had no say. The interval (Wilson) is what chance leaves open with so few "
      "pictures.</p>\n";
  return text;
}

std::string confusions(const SplitResult& split) {
  std::string text = html_scroll(confusion_svg(split.confusion, "By class, " + split.name));
  const Confusion by_rank = fold(split.confusion, CardPart::kRank), by_suit = fold(split.confusion, CardPart::kSuit);
  if (by_rank.classes.empty()) return text;
  return text + "<div class=\"charts\">\n" + html_scroll(confusion_svg(by_rank, "By rank, " + split.name)) +
         html_scroll(confusion_svg(by_suit, "By suit, " + split.name)) + "</div>\n" +
         fmt::format("<p>Right rank: {}. Right suit: {}.</p>\n",
                     percent(static_cast<double>(by_rank.correct()) /
                             static_cast<double>(std::max<std::int64_t>(1, by_rank.total()))),
                     percent(static_cast<double>(by_suit.correct()) /
                             static_cast<double>(std::max<std::int64_t>(1, by_suit.total()))));
}

std::vector<ClassReport> class_reports(const Confusion& confusion) {
  std::vector<ClassReport> reports(confusion.classes.size());
  for (std::size_t truth = 0; truth < reports.size(); ++truth) {
    reports[truth].name = confusion.classes[truth];
    reports[truth].correct = confusion.at(truth, truth);
    for (std::size_t guess = 0; guess < reports.size(); ++guess) {
      reports[truth].samples += confusion.at(truth, guess);
      reports[guess].predicted += confusion.at(truth, guess);
    }
  }
  return reports;
}

std::string classes(const SplitResult& split) {
  std::vector<ClassReport> reports = class_reports(split.confusion);
  std::ranges::stable_sort(reports, {}, &ClassReport::f1);
  std::vector<std::vector<std::string>> rows;
  for (const ClassReport& c : reports) {
    rows.push_back({escape_markup(c.name), fmt::format("{}", c.samples), fmt::format("{}", c.correct),
                    fmt::format("{}", c.predicted), fmt::format("{:.3f}", c.precision()),
                    fmt::format("{:.3f}", c.recall()), fmt::format("{:.3f}", c.f1())});
  }
  return html_table({"Class", "Pictures", "Right", "Said", "Precision", "Recall", "F1"}, rows, 1);
}

std::string mistakes(const SplitResult& split) {
  const std::int64_t wrong = split.confusion.total() - split.confusion.correct();
  if (wrong == 0) return "<p>None.</p>\n";
  std::string text = fmt::format("<p>{} of {} are wrong; these {} with the greatest conviction.</p>\n", wrong,
                                 split.confusion.total(), split.mistakes.size());
  text += "<div class=\"pictures mistakes\">\n";
  for (const Mistake& m : split.mistakes) {
    text += html_figure(m.picture,
                        fmt::format("<b>{}</b> {}<br>is {}, {}<br>{}", escape_markup(m.guess), percent(m.probability),
                                    escape_markup(m.truth), percent(m.probability_of_truth), escape_markup(m.path)));
  }
  return text + "</div>\n";
}

std::string training_pictures(const RunReport& report) {
  std::string text = "<p>A batch as it went into the network, after augmentation.</p>\n<div class=\"pictures\">\n";
  for (const ReportPicture& picture : report.training_pictures)
    text += html_figure(picture, escape_markup(picture.caption));
  return text + "</div>\n";
}

std::string plan(const Profile& profile) {
  const double sum = profile.sum_of_parts();
  std::vector<std::vector<std::string>> rows;
  for (const ProfileRow& row : profile.rows) {
    rows.push_back({escape_markup(row.name), row.implementation.empty() ? "-" : escape_markup(row.implementation),
                    milliseconds_text(row.forward_seconds), milliseconds_text(row.backward_seconds),
                    rate_text(row.flops, row.seconds()), sum > 0 ? percent(row.seconds() / sum) : "-"});
  }
  return fmt::format(
             "<p>A training step of {} pictures, {} x {}, {}, on {}: {:.1f} ms ({:.0f} pictures a second), measured "
             "when this page was made.</p>\n",
             profile.batch, profile.image_size, profile.image_size, name_of(profile.precision),
             escape_markup(profile.device), profile.step_seconds * 1e3, profile.batch / profile.step_seconds) +
         html_table({"Part", "Implementation", "Forward ms", "Backward ms", "GFLOP/s", "Share"}, rows, 2);
}

std::string repeat(const RunReport& report) {
  return fmt::format(
      "<pre>{}</pre>\n<details><summary>run.toml, every value that decides the run</summary>\n<pre>{}</pre>\n"
      "</details>\n",
      escape_markup(report.command), [&] {
        std::string lines;  // of the file, one by one: a line's end is no control character here
        std::size_t from = 0;
        while (from < report.config.size()) {
          const std::size_t end = std::min(report.config.find('\n', from), report.config.size());
          lines += escape_markup(std::string_view(report.config).substr(from, end - from)) + "\n";
          from = end + 1;
        }
        return lines;
      }());
}

// ---- the page of several runs

/// Rows of the comparison: a fact's name, and its value in each run.
std::vector<std::vector<std::string>> fact_rows(const std::vector<RunReport>& reports) {
  std::vector<std::vector<std::string>> rows;
  for (const RunReport& report : reports) {
    for (const Fact& fact : report.about) {
      if (std::ranges::any_of(rows, [&](const auto& row) { return row.front() == escape_markup(fact.name); })) continue;
      std::vector<std::string> row = {escape_markup(fact.name)};
      for (const RunReport& other : reports) {
        const auto found = std::ranges::find(other.about, fact.name, &Fact::name);
        row.push_back(found == other.about.end() ? "-" : escape_markup(found->value));
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

bool all_agree(const std::vector<std::string>& row) {
  return std::ranges::adjacent_find(row.begin() + 1, row.end(), std::not_equal_to()) == row.end();
}

std::string compared_facts(const std::vector<RunReport>& reports, const std::vector<std::string>& header) {
  std::vector<std::vector<std::string>> different;
  std::string shared;
  for (auto& row : fact_rows(reports)) {
    if (all_agree(row)) {
      shared += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", row[0], row[1]);
    } else {
      different.push_back(std::move(row));
    }
  }
  std::string text = different.empty() ? "<p>They do not differ.</p>\n" : html_table(header, different, header.size());
  if (!shared.empty()) text += "<p>The same in all:</p>\n<table class=\"facts\">\n" + shared + "</table>\n";
  return text;
}

std::string compared_figures(const std::vector<RunReport>& reports, const std::vector<std::string>& header) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& name, const std::function<std::string(const RunReport&)>& figure) {
    std::vector<std::string> row = {name};
    for (const RunReport& report : reports) row.push_back(figure(report));
    rows.push_back(std::move(row));
  };
  for (const char* name : {"valid", "test"}) {
    const auto of = [&](const std::function<std::string(const SplitResult&)>& figure) {
      return [name, figure](const RunReport& report) {
        const auto split = std::ranges::find(report.splits, name, &SplitResult::name);
        return split == report.splits.end() ? std::string("-") : figure(*split);
      };
    };
    add(fmt::format("{}, top-1", name), of([](const SplitResult& s) { return percent(s.accuracy()); }));
    add(fmt::format("{}, 95 % interval", name), of(interval_text));
    add(fmt::format("{}, top-5", name), of([](const SplitResult& s) { return percent(s.top5_accuracy); }));
    add(fmt::format("{}, loss", name), of([](const SplitResult& s) { return fmt::format("{:.4f}", s.loss); }));
  }
  add("epochs", [](const RunReport& r) { return fmt::format("{}", r.epochs.size()); });
  add("best epoch", [](const RunReport& r) { return r.best_epoch() ? fmt::format("{}", r.best_epoch()->epoch) : "-"; });
  add("training time", [](const RunReport& r) { return duration_text(total_seconds(r.epochs)); });
  std::erase_if(rows, [](const auto& row) {
    return std::all_of(row.begin() + 1, row.end(), [](const auto& cell) { return cell == "-"; });
  });
  return html_table(header, rows, 1);
}

std::string compared_curves(const std::vector<RunReport>& reports) {
  const auto chart = [&](const std::string& title, double EpochMetrics::*figure, bool is_share) {
    LineChart chart{.title = title, .is_share = is_share};
    for (const RunReport& report : reports) chart.series.push_back(series_of(report, report.name, figure));
    return line_chart_svg(chart);
  };
  return "<div class=\"charts\">\n" + chart("Validation accuracy", &EpochMetrics::val_accuracy, true) +
         chart("Validation loss", &EpochMetrics::val_loss, false) +
         chart("Training accuracy", &EpochMetrics::accuracy, true) +
         chart("Training loss", &EpochMetrics::loss, false) + "</div>\n";
}

}  // namespace

double SplitResult::accuracy() const {
  return static_cast<double>(confusion.correct()) / static_cast<double>(std::max<std::int64_t>(1, confusion.total()));
}

Interval wilson_interval(std::int64_t correct, std::int64_t samples) {
  if (samples == 0) return {0, 1};
  constexpr double kZ = 1.959964;  // the normal distribution's 97.5 % point
  const auto n = static_cast<double>(samples);
  const double p = static_cast<double>(correct) / n;
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::string run_report_html(const RunReport& report) {
  std::string body = headline(report) + html_facts(report.about) + notes(report);
  body += html_section("Curves", curves(report));
  if (!report.splits.empty()) body += html_section("Final figures", final_figures(report));
  for (const SplitResult& split : report.splits) {
    const std::string which = split.name == "test" ? "test" : "validation";
    body += html_section("The surest mistakes, " + which, mistakes(split));
    body += html_section("What was taken for what, " + which, confusions(split));
    body += html_section("Class by class, " + which, "<p>The worst first.</p>\n" + classes(split));
  }
  if (!report.training_pictures.empty()) body += html_section("Training pictures", training_pictures(report));
  if (report.class_counts) body += html_section("The data", html_scroll(bar_chart_svg(*report.class_counts)));
  if (report.profile) body += html_section("Where a step's time goes", plan(*report.profile));
  body += html_section("How to repeat it", repeat(report));
  body += html_section("Where it ran", html_facts(report.environment));
  return html_page(report.name + " - cudacards", body);
}

std::string comparison_html(const std::vector<RunReport>& reports) {
  std::vector<std::string> header = {""};
  for (const RunReport& report : reports) header.push_back(escape_markup(report.name));
  std::string body = fmt::format("<h1>{} runs</h1>\n", reports.size());
  for (const RunReport& report : reports) body += notes(report);
  body += html_section("Figures", compared_figures(reports, header)) +
          html_section("Curves", compared_curves(reports)) +
          html_section("What differs", compared_facts(reports, header));
  return html_page(fmt::format("{} runs - cudacards", reports.size()), body);
}

}  // namespace cudacards
