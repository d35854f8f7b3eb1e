#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/report/html_page.h"
#include "host/report/markup.h"
#include "host/report/report_picture.h"
#include "host/train/audit.h"

namespace cudacards {
namespace {

std::string percent(double share) { return fmt::format("{:.1f}\u00A0%", 100 * share); }

std::string figure(std::size_t rank, const Judged& picture, const std::string& data, bool is_new) {
  const std::string place = printable_below(picture.path, data);
  const std::string words =
      fmt::format("{}. <b>{}</b> {}<br>labelled {}, {}<br>{}{}", rank, escape_markup(picture.rival),
                  percent(picture.probability_of_rival), escape_markup(picture.label),
                  percent(picture.probability_of_label), escape_markup(place), is_new ? "<br>not learned from" : "");
  return html_file_figure(place, picture.path, words);
}

std::string conflicts(const Audit& audit, const std::string& data) {
  std::string text =
      "<p>The same file under two labels: at least one is wrong, whatever a model says.</p>\n<div class=\"pairs\">\n";
  for (const Duplicates& group : audit.conflicts) {
    text += "<div class=\"pair\">\n";
    for (const ScannedFile& file : group.files) {
      const std::string place = printable_below(file.path, data);
      text += html_file_figure(place, file.path,
                               fmt::format("<b>{}</b><br>{}", escape_markup(file.class_name), escape_markup(place)));
    }
    text += "</div>\n";
  }
  return text + "</div>\n";
}

}  // namespace

std::string audit_html(const Audit& audit, const std::string& model, const std::string& data, std::size_t top) {
  const auto shown = std::span(audit.pictures).first(std::min(top, audit.pictures.size()));
  std::string body =
      fmt::format("<h1>Labels in {}, by {}</h1>\n", escape_markup(printable(data)), escape_markup(printable(model)));
  body += html_key_figures(
      {{"Pictures", fmt::format("{}", audit.pictures.size()), "judged"},
       {"Disagreements", fmt::format("{}", audit.disagreements()), "the model says another class"},
       {"Suspects", fmt::format("{}", audit.suspects()), "and as surely as it does where it is right"},
       {"Contradictions", fmt::format("{}", audit.conflicts.size()), "the same file under two labels"}});
  body += fmt::format("<p>{}</p>\n", escape_markup(caveat(audit)));
  for (const BadFile& bad : audit.bad)
    body += fmt::format("<p class=\"faint\">{} was passed over: {}</p>\n", escape_markup(bad.path),
                        escape_markup(bad.reason));
  if (!audit.conflicts.empty()) body += html_section("Contradictions", conflicts(audit, data));
  std::string figures = fmt::format(
      "<p>The first {} by p(label) - p(the best other class). In bold what the model says; it may be the model that is "
      "wrong.</p>\n<div class=\"pictures mistakes\">\n",
      shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i)
    figures += figure(i + 1, shown[i], data, audit.knows_what_was_learned && !shown[i].was_learned);
  body += html_section("The most doubtful labels", figures + "</div>\n");
  return html_page("Labels - cudacards", body);
}

}  // namespace cudacards
