#include "host/scene/draw_found.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "host/data/lettering.h"

namespace cudacards {
namespace {

constexpr int kLegible = 900;       // pixels of the longer side that letters need
constexpr int kLettersOfSide = 70;  // letters' height, of the longer side
const cv::Scalar kRight(60, 220, 90), kWrong(255, 70, 60), kMissed(255, 220, 40), kInk(255, 255, 255),
    kGround(20, 22, 26);

class Drawing {
 public:
  explicit Drawing(const Image& photo)
      : factor_(
            std::max(1, (kLegible - 1 + std::max(photo.height, photo.width)) / std::max(photo.height, photo.width))),
        image_(photo.height * factor_, photo.width * factor_),
        mat_(image_.height, image_.width, CV_8UC3, image_.pixels.get()),
        letters_(std::max(11, std::max(image_.height, image_.width) / kLettersOfSide)) {
    const cv::Mat source(photo.height, photo.width, CV_8UC3, photo.pixels.get());
    cv::resize(source, mat_, mat_.size(), 0, 0, cv::INTER_CUBIC);
  }

  void outline(const FoundCard& card, const cv::Scalar& colour) {
    std::vector<cv::Point> corners;
    for (const PhotoPoint& p : card.quad) corners.push_back(scaled(p.x, p.y));
    cv::polylines(mat_, corners, true, kGround, stroke() + 2, cv::LINE_AA);
    cv::polylines(mat_, corners, true, colour, stroke(), cv::LINE_AA);
  }

  /// In the middle of what can be seen, where a card has least to say.
  void name(const FoundCard& card, const cv::Scalar& ink) {
    const std::string words = fmt::format("{} {:.0f} %", card.label, 100 * card.probability);
    const cv::Size size = lettered_size(words, letters_);
    const cv::Point middle = scaled((card.box[0] + card.box[2]) / 2, (card.box[1] + card.box[3]) / 2);
    letter(mat_, words, {middle.x - size.width / 2, middle.y - size.height / 2}, letters_, ink, kGround);
  }

  void missed(const KnownCard& card) {
    cv::rectangle(mat_, scaled(card.box[0], card.box[1]), scaled(card.box[2], card.box[3]), kMissed, stroke());
    letter(mat_, "missed: " + card.label, scaled(card.box[0], card.box[1]), letters_, kMissed, kGround);
  }

  Image take() { return std::move(image_); }

 private:
  int stroke() const { return std::max(2, letters_ / 5); }
  cv::Point scaled(double x, double y) const { return {cvRound(x * factor_), cvRound(y * factor_)}; }

  int factor_;
  Image image_;
  cv::Mat mat_;
  int letters_;
};

}  // namespace

Image draw_found(const Image& photo, const std::vector<FoundCard>& found) {
  return draw_found(photo, found, {}, {std::vector<bool>(found.size(), true), {}});
}

Image draw_found(const Image& photo, const std::vector<FoundCard>& found, const std::vector<KnownCard>& known,
                 const Agreement& agreement) {
  Drawing drawing(photo);
  // The uppermost card's outline last, and words over all outlines.
  for (std::size_t i = found.size(); i-- > 0;) drawing.outline(found[i], agreement.right[i] ? kRight : kWrong);
  for (std::size_t i = 0; i < known.size(); ++i)
    if (!agreement.met[i]) drawing.missed(known[i]);
  for (std::size_t i = found.size(); i-- > 0;) drawing.name(found[i], agreement.right[i] ? kInk : kWrong);
  return drawing.take();
}

}  // namespace cudacards
