#pragma once
// What goes into HTML and SVG.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cudacards {

/// Text for an element or a quoted attribute of HTML and XML. Control characters, which XML cannot write, become
/// spaces; what is not UTF-8 becomes U+FFFD.
std::string escape_markup(std::string_view text);

/// How many characters of UTF-8 that is: what a chart reserves room for.
std::size_t character_count(std::string_view text);

std::string base64(std::span<const std::uint8_t> bytes);

/// Okabe and Ito's palette without its pale yellow: told apart by colour-blind readers, and in contrast with white as
/// with near-black.
std::string_view series_colour(std::size_t series);

/// The style of an SVG chart, light and dark; goes inside the <svg class="chart">, and reaches nothing outside of it.
extern const std::string_view kChartStyle;

/// What a chart begins with: <svg class="chart"> of that size in user units, its title, style and page. The caller ends it.
std::string svg_begin(double width, double height, std::string_view title);
/// A line of text; `style` is a class of kChartStyle, `anchor` start, middle or end. Any words are escaped.
std::string svg_text(std::string_view style, double x, double y, std::string_view anchor, std::string_view words);

/// A step of 1, 2 or 5 times a power of ten that divides an axis from 0 to `largest` in four to ten. `largest` > 0.
double grid_step(double largest);

}  // namespace cudacards
