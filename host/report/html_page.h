#pragma once
// The frame of the HTML pages: one file, light and dark, on a phone, on paper.

#include <string>
#include <string_view>
#include <vector>

#include "host/report/run_report.h"

namespace cudacards {

/// `body` is markup, `title` text.
std::string html_page(const std::string& title, const std::string& body);

/// <section> with a heading, and an anchor made of it.
std::string html_section(std::string_view title, const std::string& body);

/// A figure that the page begins with.
struct KeyFigure {
  std::string name, value, note;  // text
};

/// Boxes side by side.
std::string html_key_figures(const std::vector<KeyFigure>& figures);

/// Names and values, two columns. Text.
std::string html_facts(const std::vector<Fact>& facts);

/// Cells are markup; columns after `text_columns` hold numbers, right-aligned.
std::string html_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                       std::size_t text_columns);

/// A picture with words below; `words` is markup.
std::string html_figure(const ReportPicture& picture, const std::string& words);

/// Wide content that scrolls by itself instead of the page.
std::string html_scroll(const std::string& body);

}  // namespace cudacards
