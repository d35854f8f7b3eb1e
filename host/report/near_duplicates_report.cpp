#include "host/report/near_duplicates_report.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/report/html_page.h"
#include "host/report/markup.h"
#include "host/report/report_picture.h"
#include "host/report/table.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

/// The pair's three kinds, in the order in which a person should look at them.
enum class Kind : std::uint8_t { kSplits, kClasses, kOneClass };

Kind kind_of(const NearDuplicate& pair) {
  return pair.across_splits() ? Kind::kSplits : pair.across_labels() ? Kind::kClasses : Kind::kOneClass;
}

std::span<const NearDuplicate> pairs_of(const NearDuplicates& found, Kind kind) {
  const auto [first, last] = std::ranges::equal_range(found.pairs, kind, {}, kind_of);
  return {first, last};
}

std::string half(const ScannedFile& file, const std::string& root) {
  const std::string place = printable_below(file.path, root);
  return html_file_figure(
      place, file.path,
      fmt::format("<b>{}</b><br>{}", escape_markup(printable(file.class_name)), escape_markup(place)));
}

std::string section(const NearDuplicates& found, Kind kind, std::string_view title, std::string_view advice,
                    const std::string& root, std::size_t& left) {
  const auto pairs = pairs_of(found, kind);
  if (pairs.empty()) return "";
  const std::size_t shown = std::min(left, pairs.size());
  left -= shown;
  std::string body = fmt::format("<p>{}{}</p>\n<div class=\"pairs\">\n", advice,
                                 shown < pairs.size() ? fmt::format(" {} of {} are shown.", shown, pairs.size()) : "");
  for (const NearDuplicate& pair : pairs.first(shown)) {
    body += fmt::format("<div class=\"pair\" title=\"difference {:.2f}\">\n{}{}</div>\n", pair.difference,
                        half(pair.first, root), half(pair.second, root));
  }
  return html_section(title, body + "</div>\n");
}

}  // namespace

const char* meaning_of(const NearDuplicate& pair) {
  if (pair.across_splits() && pair.across_labels()) return "in two splits and under two classes";
  if (pair.across_splits()) return "in two splits";
  return pair.across_labels() ? "under two classes" : "in one class";
}

std::string near_duplicates_html(const NearDuplicates& found, const std::string& root, std::size_t top) {
  const auto count = [&](Kind kind) { return fmt::format("{}", pairs_of(found, kind).size()); };
  std::string body = fmt::format("<h1>Near duplicates in {}</h1>\n", escape_markup(printable(root)));
  body += html_key_figures({{"Pictures", with_commas(found.pictures), "compared, each with each"},
                            {"In two splits", count(Kind::kSplits), "pairs"},
                            {"Under two classes", count(Kind::kClasses), "pairs in one split"},
                            {"In one class", count(Kind::kOneClass), "pairs in one split"}});
  for (const BadFile& bad : found.bad)
    body += fmt::format("<p class=\"faint\">{} was passed over: {}</p>\n", escape_markup(bad.path),
                        escape_markup(bad.reason));
  std::size_t left = top;
  body +=
      section(found, Kind::kSplits, "In two splits",
              "What was learned from is measured with again, so that figures of validation and test flatter. Remove "
              "one of each pair, from train or from the other split.",
              root, left);
  body += section(found, Kind::kClasses, "Under two classes",
                  "Where both show one card, one of the two labels is wrong.", root, left);
  body +=
      section(found, Kind::kOneClass, "In one class",
              "Harmless, but they are one picture: what a network learns from them it learns from one.", root, left);
  return html_page("Near duplicates - cudacards", body);
}

ContactSheet near_duplicates_sheet(const NearDuplicates& found, const std::string& root, std::size_t top) {
  ContactSheet sheet{.title = fmt::format("{} among {}", counted(std::ssize(found.pairs), "near duplicate"),
                                          counted(found.pictures, "picture")),
                     .side = 128,
                     .label_width = 240};
  for (const NearDuplicate& pair : std::span(found.pairs).first(std::min(top, found.pairs.size()))) {
    ContactSheet::Row row{.title = meaning_of(pair), .notes = {}, .pictures = {}};
    try {
      for (const ScannedFile* file : {&pair.first, &pair.second}) {
        row.notes.push_back(printable_below(file->path, root));
        row.pictures.push_back(thumbnail(decode_image(read_file(file->path)), sheet.side));
      }
    } catch (const Error&) {
      continue;  // it was there a moment ago
    }
    row.notes.push_back(fmt::format("difference {:.2f}", pair.difference));
    sheet.rows.push_back(std::move(row));
  }
  return sheet;
}

}  // namespace cudacards
