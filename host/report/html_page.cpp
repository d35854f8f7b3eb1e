#include "host/report/html_page.h"

#include <fmt/format.h>

#include "host/report/markup.h"

namespace cudacards {
namespace {

constexpr std::string_view kPageStyle = R"(<style>
:root { color-scheme: light dark; --ink: #222; --faint: #666; --line: #ddd; --page: #fff; --panel: #f6f7f8; --accent: #0072b2 }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #a0a0a0; --line: #3a3a3a; --page: #17181a; --panel: #212326; --accent: #56b4e9 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 20px 16px 60px; max-width: 1100px; font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
       background: var(--page) }
h1 { font-size: 26px; line-height: 1.25; margin: 8px 0; overflow-wrap: anywhere }
h2 { font-size: 19px; margin: 36px 0 10px; padding-bottom: 4px; border-bottom: 1px solid var(--line) }
p { margin: 6px 0 12px; max-width: 48em }
.faint, figcaption { color: var(--faint) }
.figures { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0 }
.figures div { background: var(--panel); border-radius: 8px; padding: 10px 16px; flex: 1 1 150px }
.figures b { display: block; font-size: 25px; line-height: 1.3 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 12px }
.charts > .chart { width: 100%; height: auto }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(116px, 1fr)); gap: 12px }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 12px }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; align-content: start; background: var(--panel);
        border-radius: 8px; padding: 10px; break-inside: avoid }
.pair p { grid-column: 1 / -1; margin: 0 }
.mistakes { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)) }
figure { margin: 0; break-inside: avoid; font-size: 13px; line-height: 1.35 }
figure img { width: 100%; height: auto; display: block; border-radius: 4px; margin-bottom: 4px }
figcaption { overflow-wrap: anywhere }
figcaption b { color: var(--ink) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th { color: var(--faint); font-weight: 500; white-space: nowrap }
.number { text-align: right; white-space: nowrap }
.facts td { overflow-wrap: anywhere }
pre { background: var(--panel); border-radius: 8px; padding: 12px; overflow-x: auto; font-size: 13px }
summary { cursor: pointer; color: var(--accent) }
@page { margin: 14mm }
@media print {
  body { max-width: none; padding: 0; font-size: 11px }
  h1 { font-size: 20px }
  h2 { font-size: 15px; margin: 22px 0 8px }
  h2, h2 + p { break-after: avoid }
  tr, .figures, .chart { break-inside: avoid }
  .figures { margin: 10px 0; gap: 8px }
  .figures div { border: 1px solid var(--line); padding: 6px 10px; flex-basis: 110px }
  .figures b { font-size: 18px }
  .charts { grid-template-columns: 1fr 1fr; gap: 8px }
  .pictures { grid-template-columns: repeat(6, 1fr); gap: 8px }
  .pairs { grid-template-columns: repeat(3, 1fr); gap: 8px }
  figure { font-size: 9px }
  .scroll { overflow: visible }
  .scroll .chart { width: auto; height: auto; max-width: 100%; max-height: 185mm }
  .long { columns: 2; column-gap: 18px; font-size: 8px }
  .long th, .long td { padding: 2px 6px 2px 0; white-space: normal }
  details { display: none }
}
</style>
)";

/// "What it took for what" -> "what-it-took-for-what".
std::string anchor_of(std::string_view title) {
  std::string anchor;
  for (const char c : title) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    anchor += is_letter ? static_cast<char>(c | 0x20) : '-';
  }
  return anchor;
}

}  // namespace

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{}</title>\n{}</head>\n<body>\n{}"
      "</body>\n</html>\n",
      escape_markup(title), kPageStyle, body);
}

std::string html_section(std::string_view title, const std::string& body) {
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", anchor_of(title), escape_markup(title), body);
}

std::string html_key_figures(const std::vector<KeyFigure>& figures) {
  std::string boxes;
  for (const KeyFigure& figure : figures) {
    boxes += fmt::format("<div>{}<b>{}</b><span class=\"faint\">{}</span></div>\n", escape_markup(figure.name),
                         escape_markup(figure.value), escape_markup(figure.note));
  }
  return "<div class=\"figures\">\n" + boxes + "</div>\n";
}

std::string html_facts(const std::vector<Fact>& facts) {
  std::string rows;
  for (const Fact& fact : facts)
    rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escape_markup(fact.name), escape_markup(fact.value));
  return "<table class=\"facts\">\n" + rows + "</table>\n";
}

std::string html_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                       std::size_t text_columns) {
  const auto line = [&](const std::vector<std::string>& cells, std::string_view tag) {
    std::string text = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += fmt::format("<{0}{1}>{2}</{0}>", tag, i < text_columns ? "" : " class=\"number\"", cells[i]);
    return text + "</tr>\n";
  };
  std::string text = "<table>\n<thead>" + line(header, "th") + "</thead>\n<tbody>\n";
  for (const auto& row : rows) text += line(row, "td");
  text += "</tbody>\n</table>\n";
  constexpr std::size_t kLong = 30;  // rows: on paper in two columns
  return rows.size() > kLong ? "<div class=\"scroll long\">\n" + text + "</div>\n" : html_scroll(text);
}

std::string html_figure(const ReportPicture& picture, const std::string& words) {
  return fmt::format(
      "<figure><img alt=\"{}\" width=\"{}\" height=\"{}\" loading=\"lazy\" src=\"data:image/jpeg;base64,{}\">"
      "<figcaption>{}</figcaption></figure>\n",
      escape_markup(picture.caption), picture.width, picture.height, base64(picture.jpeg), words);
}

std::string html_scroll(const std::string& body) { return "<div class=\"scroll\">\n" + body + "</div>\n"; }

}  // namespace cudacards
