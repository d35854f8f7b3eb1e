#include "host/report/report_picture.h"

#include <algorithm>
#include <utility>

#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/data/jpeg_encode.h"
#include "host/data/resize.h"
#include "host/report/html_page.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr int kPictureSide = 224;  // pixels at most
constexpr int kJpegQuality = 82;

}  // namespace

ReportPicture report_picture(std::string caption, const std::uint8_t* pixels, int height, int width) {
  ReportPicture picture{std::move(caption), width, height, {}};
  const int side = std::max(height, width);
  if (side <= kPictureSide) {
    picture.jpeg =
        encode_jpeg(pixels, height, width, static_cast<std::size_t>(width) * 3, kJpegQuality, ChromaSampling::k420);
    return picture;
  }
  Image large(height, width);
  std::copy_n(pixels, large.bytes(), large.pixels.get());
  picture.width = std::max(1, width * kPictureSide / side);
  picture.height = std::max(1, height * kPictureSide / side);
  Image small(picture.height, picture.width);
  resize(large, small.height, small.width, small.pixels.get());
  picture.jpeg = encode_jpeg(small.pixels.get(), small.height, small.width, static_cast<std::size_t>(small.width) * 3,
                             kJpegQuality, ChromaSampling::k420);
  return picture;
}

ReportPicture report_picture(std::string caption, const std::string& path) {
  const Image image = decode_image(read_file(path));
  return report_picture(std::move(caption), image.pixels.get(), image.height, image.width);
}

std::string html_file_figure(const std::string& caption, const std::string& path, const std::string& words) {
  try {
    return html_figure(report_picture(caption, path), words);
  } catch (const Error&) {
    return "<figure><figcaption>" + words + "<br>cannot be read any more</figcaption></figure>\n";
  }
}

}  // namespace cudacards
