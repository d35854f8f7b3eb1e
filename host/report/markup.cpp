#include "host/report/markup.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "host/runtime/utf8.h"

namespace cudacards {
namespace {

constexpr std::array<std::string_view, 7> kColours = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                                      "#56b4e9", "#cc79a7", "#999999"};

}  // namespace

const std::string_view kChartStyle = R"(<style>
.chart text { font: 12px system-ui, sans-serif; fill: #222 }
.chart .title { font-size: 16px; font-weight: 600 }
.chart .faint { fill: #666 }
.chart .grid { stroke: #ddd }
.chart .page { fill: #fff }
@media screen and (prefers-color-scheme: dark) {
  .chart text { fill: #e6e6e6 }
  .chart .faint { fill: #a0a0a0 }
  .chart .grid { stroke: #3a3a3a }
  .chart .page { fill: #17181a }
}
</style>
)";

std::string_view series_colour(std::size_t series) { return kColours[series % kColours.size()]; }

std::string escape_markup(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(1, length));
    text.remove_prefix(character.size());
    if (length == 0) {
      result += "\uFFFD";
    } else if (character == "&") {
      result += "&amp;";
    } else if (character == "<") {
      result += "&lt;";
    } else if (character == ">") {
      result += "&gt;";
    } else if (character == "\"") {
      result += "&quot;";
    } else if (character == "'") {
      result += "&#39;";
    } else {
      const bool is_control = length == 1 && (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F);
      result += is_control ? " " : character;
    }
  }
  return result;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // Writes a zero behind the text, where std::string has one already.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  return text;
}

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string svg_begin(double width, double height, std::string_view title) {
  return fmt::format(
      "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n<title>{2}</title>\n{3}"
      "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
      width, height, escape_markup(title), kChartStyle);
}

std::string svg_text(std::string_view style, double x, double y, std::string_view anchor, std::string_view words) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", style, x, y, anchor,
                     escape_markup(words));
}

double grid_step(double largest) {
  const double power = std::pow(10, std::floor(std::log10(largest / 4)));
  const double times = largest / 4 / power;
  return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

}  // namespace cudacards
