#include "host/report/stats_page.h"

#include <algorithm>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/report/html_page.h"
#include "host/report/markup.h"
#include "host/report/report_picture.h"
#include "host/report/table.h"

namespace cudacards {
namespace {

constexpr std::size_t kSizes = 10, kGroups = 48, kFiles = 200;  // shown

std::int64_t total(const DatasetStats& stats) {
  return std::accumulate(stats.splits.begin(), stats.splits.end(), std::int64_t{0},
                         [](std::int64_t sum, const SplitStats& split) { return sum + split.total; });
}

/// "1.6", "-" of a split in which a class is empty.
std::string ratio_text(const SplitStats& split) {
  if (split.smallest == 0) return "-";
  return fmt::format("{:.1f}", static_cast<double>(split.largest) / static_cast<double>(split.smallest));
}

/// The class with so many pictures; the first of several.
const std::string& class_with(const DatasetStats& stats, const SplitStats& split, std::int64_t count) {
  const auto at = std::ranges::find(split.counts, count) - split.counts.begin();
  return stats.classes[static_cast<std::size_t>(at)];
}

std::string key_figures(const DatasetStats& stats, const DatasetCheck& check) {
  std::vector<KeyFigure> figures = {{"Pictures", with_commas(total(stats)), ""},
                                    {"Classes", fmt::format("{}", stats.classes.size()), ""}};
  for (const SplitStats& split : stats.splits)
    figures[0].note +=
        fmt::format("{}{} {}", figures[0].note.empty() ? "" : ", ", with_commas(split.total), split.name);
  if (!stats.splits.empty()) {
    const SplitStats& first = stats.splits.front();
    figures[1].note = fmt::format("{:.0f} pictures each in {}, on average", first.mean, first.name);
    const std::string ratio = ratio_text(first);
    figures.push_back({"Imbalance", ratio == "-" ? "a class is empty" : ratio + " : 1",
                       fmt::format("{} has {}, {} has {}", class_with(stats, first, first.largest), first.largest,
                                   class_with(stats, first, first.smallest), first.smallest)});
  }
  figures.push_back({"Duplicates", fmt::format("{}", check.duplicates.size()), "files that are there more than once"});
  figures.push_back({"Bad files", fmt::format("{}", check.bad.size()), "pictures that cannot be read"});
  return html_key_figures(figures);
}

std::string splits_table(const DatasetStats& stats) {
  std::vector<std::vector<std::string>> rows;
  for (const SplitStats& split : stats.splits) {
    const auto extreme = [&](std::int64_t count) {
      return fmt::format("{} ({})", count, escape_markup(class_with(stats, split, count)));
    };
    rows.push_back({split.name, with_commas(split.total), fmt::format("{:.1f}", split.mean), extreme(split.smallest),
                    extreme(split.largest), ratio_text(split)});
  }
  return html_table({"Split", "Pictures", "Mean a class", "Fewest", "Most", "Most over fewest"}, rows, 1);
}

std::string sizes_table(const DatasetStats& stats) {
  const auto all = std::max<std::int64_t>(1, total(stats) - stats.unreadable);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [size, count] : std::span(stats.sizes).first(std::min(kSizes, stats.sizes.size()))) {
    rows.push_back({fmt::format("{} x {}", size.width, size.height), with_commas(count),
                    fmt::format("{:.1f}\u00A0%", 100.0 * static_cast<double>(count) / static_cast<double>(all))});
  }
  std::string text = html_table({"Width x height", "Pictures", "Share"}, rows, 1);
  if (stats.sizes.size() > kSizes)
    text += fmt::format("<p class=\"faint\">and {} other sizes</p>\n", stats.sizes.size() - kSizes);
  return text;
}

std::string group_words(const Duplicates& group) {
  return fmt::format("{}{}", meaning_of(group),
                     group.files.size() > 2 ? fmt::format(" ({} files)", group.files.size()) : "");
}

std::string duplicates(const DatasetCheck& check, const std::string& root) {
  std::string text = "<div class=\"pairs\">\n";
  for (const Duplicates& group : std::span(check.duplicates).first(std::min(kGroups, check.duplicates.size()))) {
    text += "<div class=\"pair\">\n";
    for (const ScannedFile& file : std::span(group.files).first(2)) {
      const std::string place = printable_below(file.path, root);
      text += html_file_figure(place, file.path,
                               fmt::format("<b>{}</b><br>{}", escape_markup(file.class_name), escape_markup(place)));
    }
    text += fmt::format("<p class=\"faint\">{}</p>\n</div>\n", escape_markup(group_words(group)));
  }
  text += "</div>\n";
  if (check.duplicates.size() > kGroups)
    text +=
        fmt::format("<p class=\"faint\">and {} more: cudacards data check</p>\n", check.duplicates.size() - kGroups);
  return text +
         "<p class=\"faint\">Files with the same bytes. Copies in another size or quality: cudacards data "
         "duplicates</p>\n";
}

std::string files_table(const std::vector<BadFile>& files, const std::string& root) {
  std::vector<std::vector<std::string>> rows;
  for (const BadFile& file : std::span(files).first(std::min(kFiles, files.size())))
    rows.push_back({escape_markup(printable_below(file.path, root)), escape_markup(file.reason)});
  std::string text = html_table({"File", "Reason"}, rows, 2);
  if (files.size() > kFiles)
    text += fmt::format("<p class=\"faint\">and {} more: cudacards data check</p>\n", files.size() - kFiles);
  return text;
}

std::string mismatches(const DatasetCheck& check) {
  std::vector<std::vector<std::string>> rows;
  for (const ClassMismatch& m : check.mismatches)
    rows.push_back({m.split, m.kind == ClassMismatch::Kind::kUnknown ? "has, and the first split has not" : "lacks",
                    escape_markup(m.class_name)});
  return html_table({"Split", "", "Class"}, rows, 3);
}

}  // namespace

BarChart class_counts_chart(const DatasetStats& stats, const std::string& subtitle) {
  BarChart chart{.title = "Pictures a class", .subtitle = subtitle};
  for (const SplitStats& split : stats.splits) chart.series.push_back(split.name);
  for (std::size_t i = 0; i < stats.classes.size(); ++i) {
    BarChart::Row row{.label = stats.classes[i], .values = {}};
    for (const SplitStats& split : stats.splits) row.values.push_back(static_cast<double>(split.counts[i]));
    chart.rows.push_back(std::move(row));
  }
  return chart;
}

std::string stats_html(const DatasetStats& stats, const DatasetCheck& check, const std::string& root) {
  std::string body = fmt::format("<h1>{}</h1>\n", escape_markup(printable(root))) + key_figures(stats, check);
  body += html_section("Classes", html_scroll(bar_chart_svg(class_counts_chart(stats, ""))));
  body += html_section("Splits", splits_table(stats));
  body += html_section("Sizes", sizes_table(stats));
  if (!check.duplicates.empty()) body += html_section("Duplicates", duplicates(check, root));
  if (!check.mismatches.empty()) body += html_section("Classes that differ between splits", mismatches(check));
  if (!check.bad.empty()) body += html_section("Bad files", files_table(check.bad, root));
  if (!check.skipped.empty()) body += html_section("Skipped, not pictures", files_table(check.skipped, root));
  return html_page(printable(root) + " - cudacards", body);
}

}  // namespace cudacards
