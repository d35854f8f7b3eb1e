// cudacards find PHOTO...: where cards lie in photos, and which.

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/output_file.h"
#include "host/cli/picture_paths.h"
#include "host/cli/share_check.h"
#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/data/picture_encode.h"
#include "host/data/picture_folder.h"
#include "host/data/picture_grid.h"
#include "host/report/table.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/scene/draw_found.h"
#include "host/scene/find_cards.h"
#include "host/scene/known_cards.h"
#include "host/train/predict.h"

namespace cudacards::cli {
namespace {

constexpr int kFailureColumns = 6, kFailureTile = 420;  // the tile in pixels

struct FindCommand {
  InferenceOptions inference;
  std::vector<std::string> paths;
  double least_probability = 0.55;
  bool json = false;
  std::string draw, labels, failures;
};

double tenth(double value) { return std::round(value * 10) / 10; }

std::string json_line(const std::string& path, const std::vector<FoundCard>& found) {
  nlohmann::ordered_json cards = nlohmann::ordered_json::array();
  for (const FoundCard& card : found) {
    nlohmann::ordered_json quad = nlohmann::ordered_json::array(), box = nlohmann::ordered_json::array();
    for (const PhotoPoint& p : card.quad) quad.push_back({tenth(p.x), tenth(p.y)});
    for (const double side : card.box) box.push_back(tenth(side));
    cards.push_back({{"label", card.label}, {"probability", card.probability}, {"quad", quad}, {"box", box}});
  }
  return nlohmann::ordered_json{{"path", path}, {"cards", cards}}.dump();
}

std::string text_lines(const std::string& path, const std::vector<FoundCard>& found, double seconds) {
  std::string text = fmt::format("{}: {} ({:.2f} s)\n", path, counted(std::ssize(found), "card"), seconds);
  for (const FoundCard& card : found) {
    text += fmt::format("  {:<18} {:>5.1f} %  {:.0f},{:.0f} to {:.0f},{:.0f}\n", card.label, 100 * card.probability,
                        card.box[0], card.box[1], card.box[2], card.box[3]);
  }
  return text;
}

class Finding {
 public:
  explicit Finding(const FindCommand& command) : command_(command), pictures_(expand(command.paths)) {
    if (!command.failures.empty() && command.labels.empty())
      throw UsageError("--failures shows what disagrees with --labels, and there are none");
    if (!command.labels.empty()) known_ = read_known_cards(command.labels);
    if (!command.draw.empty()) drawings_.emplace(command.draw);
    check_picture_output(command.failures);
    model_.emplace(load_model(command.inference));
    namer_ = {model_->classes(), model_->height(), model_->width(),
              [this](std::span<const std::uint8_t* const> cards) { return class_probabilities(*model_, cards); }};
  }

  int run() {
    for (const PicturePath& picture : pictures_) look_at(picture);
    summarise();
    return named_bad_ == 0 ? 0 : 1;
  }

 private:
  std::optional<Image> read(const PicturePath& picture) {
    try {
      return decode_image(read_file(picture.path));
    } catch (const Error& error) {
      if (picture.named) {
        log_warning(fmt::format("{}: {}", picture.shown, error.what()));
        ++named_bad_;
      } else {
        log_note(fmt::format("passed over {}: {}", picture.shown, error.what()));
      }
      return std::nullopt;
    }
  }

  void look_at(const PicturePath& picture) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const std::optional<Image> image = read(picture);
    if (!image) return;
    const std::vector<FoundCard> found = find_cards(*image, namer_, command_.least_probability);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    seconds_ += seconds;
    ++photos_;
    cards_ += found.size();
    fmt::print("{}",
               command_.json ? json_line(picture.shown, found) + "\n" : text_lines(picture.shown, found, seconds));
    std::fflush(stdout);  // a photo takes a while, and Ctrl-C ends the program at once
    if (known_) {
      compare_with_known(picture, *image, found);
    } else if (drawings_) {
      drawings_->add(picture.shown, draw_found(*image, found));
    }
  }

  void compare_with_known(const PicturePath& picture, const Image& image, const std::vector<FoundCard>& found) {
    const std::string name = std::filesystem::path(picture.path).filename().string();
    const auto entry = known_->find(name);
    const std::vector<KnownCard> known = entry == known_->end() ? std::vector<KnownCard>{} : entry->second;
    const Agreement agreement = compare(found, known);
    score_.add(agreement);
    const bool fails = !agreement.is_perfect() && !command_.failures.empty();
    if (!drawings_ && !fails) return;
    const Image drawn = draw_found(image, found, known, agreement);
    if (drawings_) drawings_->add(picture.shown, drawn);
    if (fails) failures_.push_back({name, fitted(drawn, kFailureTile)});  // whole photos of all would fill the memory
  }

  void summarise() {
    if (photos_ > 0)
      log_note(fmt::format("{}, {}, {:.2f} s a photo", counted(photos_, "photo"),
                           counted(static_cast<std::int64_t>(cards_), "card"), seconds_ / photos_));
    if (!known_) return;
    const std::string line =
        fmt::format("recall {:.3f} ({} of {} cards), precision {:.3f} ({} of {} found), {} photos", score_.recall(),
                    score_.right, score_.known, score_.precision(), score_.right, score_.found, score_.photos);
    if (command_.json) {
      log_note(line);
    } else {
      fmt::print("{}\n", line);
    }
    if (!command_.failures.empty()) write_failures();
  }

  void write_failures() const {
    const Image grid = picture_grid(failures_, kFailureColumns, kFailureTile);
    check_encodable(picture_format_of(command_.failures), grid.height, grid.width);
    write_picture(command_.failures, grid);
  }

  const FindCommand& command_;
  std::vector<PicturePath> pictures_;
  std::optional<KnownCards> known_;
  std::optional<PictureFolder> drawings_;
  std::optional<Model> model_;
  CardNamer namer_;
  FindScore score_;
  std::vector<GridPicture> failures_;
  int photos_ = 0, named_bad_ = 0;
  std::size_t cards_ = 0;
  double seconds_ = 0;
};

}  // namespace

void add_find(CLI::App& app, Action& action) {
  auto find = std::make_shared<FindCommand>();
  find->inference.model.batch = 8;  // a photo's outlines come in dozens, and a batch is always computed whole
  CLI::App& command = *app.add_subcommand("find", "Find and name the cards in photos");
  command.add_option("PHOTO", find->paths, "Photos, folders of photos, or - for standard input (a photo, or paths)")
      ->required();
  add_inference(command, find->inference, "--model");
  command.add_option("--least-probability", find->least_probability, "What is less probable is no card")
      ->type_name("P")
      ->check(from_zero_to_one())
      ->capture_default_str();
  command.add_flag("--json", find->json, "A JSON object a line");
  command
      .add_option("--draw", find->draw,
                  "Write each photo with outlines and names into this folder, as JPEG; no file there is overwritten")
      ->type_name("DIR")
      ->default_str("none");
  command
      .add_option("--labels", find->labels,
                  "Compare with this table of known cards, such as the labels.csv of data make --scenes")
      ->type_name("FILE")
      ->default_str("none");
  command
      .add_option("--failures", find->failures,
                  "Write the photos that disagree with --labels as one picture, .jpg or .png")
      ->type_name("FILE")
      ->default_str("none");
  command.footer(
      "A named file that is no picture is told on standard error, and the exit code is 1; in folders such files are "
      "passed over.");
  command.callback([find, &action] { action = [find] { return Finding(*find).run(); }; });
}

}  // namespace cudacards::cli
