#include "host/report/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "host/data/lettering.h"
#include "host/data/resize.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr int kMargin = 16, kGap = 4, kTitleHeight = 13, kHeader = 44;
constexpr int kRowTitleHeight = 10, kNoteHeight = 8, kTitleLines = 3;
constexpr double kScreen = 1.5;  // width over height
const cv::Scalar kPage(238, 239, 241), kInk(30, 30, 30), kFaint(95, 95, 95);

/// Where everything is. Rows fill one column of the sheet, then the next.
struct Layout {
  int side = 0, row_height = 0, column_width = 0, rows_a_column = 0, columns = 0;

  Layout(const ContactSheet& sheet, std::size_t rows, std::size_t pictures) : side(sheet.side) {
    const int line = lettered_size("Ag", kRowTitleHeight).height;
    row_height = std::max(side, kTitleLines * line + lettered_size("Ag", kNoteHeight).height) + kGap;
    column_width = sheet.label_width + static_cast<int>(pictures) * (side + kGap) + kMargin;
    const auto count = static_cast<int>(std::max<std::size_t>(1, rows));
    const auto off_screen = [&](int n) {
      const double ratio = static_cast<double>(n * column_width) / ((count + n - 1) / n * row_height);
      return std::abs(std::log(ratio / kScreen));
    };
    columns = 1;
    while (columns < count && off_screen(columns + 1) < off_screen(columns)) ++columns;
    rows_a_column = (count + columns - 1) / columns;
    columns = (count + rows_a_column - 1) / rows_a_column;
  }

  ImageSize size() const { return {kHeader + rows_a_column * row_height + kMargin, kMargin + columns * column_width}; }
  cv::Point of_row(std::size_t row) const {
    const auto r = static_cast<int>(row);
    return {kMargin + r / rows_a_column * column_width, kHeader + r % rows_a_column * row_height};
  }
};

bool fits(const std::string& text, int height, int width) { return lettered_size(text, height).width <= width; }

/// Ends in ".." where it is too long for the label. Whole characters of UTF-8.
std::string cut(std::string text, int height, int width) {
  if (fits(text, height, width)) return text;
  while (!text.empty() && !fits(text + "..", height, width)) {
    while (!text.empty() && (text.back() & 0xC0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
  }
  return text + "..";
}

/// Broken at spaces into at most kTitleLines lines.
std::vector<std::string> wrapped(const std::string& text, int height, int width) {
  std::vector<std::string> lines(1);
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, end - from);
    const std::string longer = lines.back().empty() ? word : lines.back() + ' ' + word;
    if (lines.back().empty() || fits(longer, height, width) || lines.size() == kTitleLines) {
      lines.back() = longer;
    } else {
      lines.push_back(word);
    }
    from = end + 1;
  }
  for (std::string& line : lines) line = cut(std::move(line), height, width);
  return lines;
}

void draw_label(cv::Mat& page, const ContactSheet::Row& row, cv::Point place, int width) {
  const auto put = [&](const std::string& line, int height, const cv::Scalar& ink) {
    letter(page, line, place, height, ink, kPage);
    place.y += lettered_size("Ag", height).height;
  };
  for (const std::string& line : wrapped(row.title, kRowTitleHeight, width)) put(line, kRowTitleHeight, kInk);
  for (const std::string& note : row.notes) put(cut(note, kNoteHeight, width), kNoteHeight, kFaint);
}

}  // namespace

Image thumbnail(const Image& picture, int side) {
  Image small(side, side);
  if (picture.height >= side && picture.width >= side) {
    resize(picture, side, side, small.pixels.get());
    return small;
  }
  const cv::Mat from(picture.height, picture.width, CV_8UC3, picture.pixels.get());
  cv::Mat to(side, side, CV_8UC3, small.pixels.get());
  cv::resize(from, to, to.size(), 0, 0, cv::INTER_NEAREST);
  return small;
}

ImageSize contact_sheet_size(const ContactSheet& sheet, std::size_t rows, std::size_t pictures) {
  return Layout(sheet, rows, pictures).size();
}

Image draw_contact_sheet(const ContactSheet& sheet) {
  std::size_t pictures = 0;
  for (const auto& row : sheet.rows) pictures = std::max(pictures, row.pictures.size());
  const Layout layout(sheet, sheet.rows.size(), pictures);
  const ImageSize size = layout.size();
  Image image(size.height, size.width);
  cv::Mat page(size.height, size.width, CV_8UC3, image.pixels.get());
  page.setTo(kPage);
  letter(page, sheet.title, {kMargin - 4, kGap * 2}, kTitleHeight, kInk, kPage);
  for (std::size_t i = 0; i < sheet.rows.size(); ++i) {
    const cv::Point place = layout.of_row(i);
    draw_label(page, sheet.rows[i], place, sheet.label_width);
    int x = place.x + sheet.label_width;
    for (const Image& picture : sheet.rows[i].pictures) {
      CUDACARDS_CHECK(picture.height == sheet.side && picture.width == sheet.side);
      const cv::Mat from(sheet.side, sheet.side, CV_8UC3, picture.pixels.get());
      from.copyTo(page(cv::Rect(x, place.y, sheet.side, sheet.side)));
      x += sheet.side + kGap;
    }
  }
  return image;
}

}  // namespace cudacards
