// cudacards predict CKPT PATH...: names for pictures.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/picture_paths.h"
#include "host/data/caption.h"
#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/data/picture_folder.h"
#include "host/runtime/log.h"
#include "host/train/predict.h"

namespace cudacards::cli {
namespace {

struct PredictCommand {
  InferenceOptions inference;
  std::vector<std::string> paths;
  int top = 3;
  bool json = false, csv = false;
  std::string draw;
};

std::string json_line(const Prediction& p) {
  nlohmann::ordered_json top = nlohmann::ordered_json::array();
  for (const Guess& guess : p.top) top.push_back({{"label", guess.label}, {"probability", guess.probability}});
  const nlohmann::ordered_json json = {
      {"path", p.path}, {"label", p.top[0].label}, {"probability", p.top[0].probability}, {"top", top}};
  return json.dump();
}

/// RFC 4180: quotes around what needs them, quotes doubled.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_header(std::size_t top) {
  std::string line = "path,label,probability";
  for (std::size_t i = 2; i <= top; ++i) line += fmt::format(",label_{0},probability_{0}", i);
  return line;
}

std::string csv_line(const Prediction& p) {
  std::string line = csv_field(p.path);
  for (const Guess& guess : p.top) line += fmt::format(",{},{:.6f}", csv_field(guess.label), guess.probability);
  return line;
}

std::string text_line(const Prediction& p) {
  std::string line = fmt::format("{}: {} {:.1f} %", p.path, p.top[0].label, 100 * p.top[0].probability);
  for (std::size_t i = 1; i < p.top.size(); ++i) {
    line += fmt::format("{}{} {:.1f} %", i == 1 ? "  (" : ", ", p.top[i].label, 100 * p.top[i].probability);
  }
  return p.top.size() > 1 ? line + ")" : line;
}

/// The class that a picture's folder names; empty where it names none.
std::string class_of_folder(const std::string& path, const std::vector<std::string>& classes) {
  const std::string folder = std::filesystem::path(path).parent_path().filename().string();
  return std::find(classes.begin(), classes.end(), folder) == classes.end() ? "" : folder;
}

/// The names with their probabilities, and what the folder says where it is another.
std::vector<CaptionLine> caption_of(const Prediction& p, const std::string& true_class) {
  std::vector<CaptionLine> lines;
  for (const Guess& guess : p.top) lines.push_back({fmt::format("{} {:.1f} %", guess.label, 100 * guess.probability)});
  if (!true_class.empty()) {
    const bool right = true_class == p.top[0].label;
    lines[0].tone = right ? Tone::kRight : Tone::kWrong;
    if (!right) lines.push_back({"folder: " + true_class});
  }
  return lines;
}

void draw_prediction(const Prediction& p, const PicturePath& picture, const std::vector<std::string>& classes,
                     const PictureFolder& folder) {
  const Image image = decode_image(read_file(picture.path));
  folder.add(picture.shown, with_caption(image, caption_of(p, class_of_folder(picture.path, classes))));
}

/// Predicts a slice of the pictures and prints it; returns how many could not be read.
std::size_t predict_and_print(Model& model, const PredictCommand& command, const std::optional<PictureFolder>& drawings,
                              std::span<const PicturePath> pictures) {
  std::vector<std::string> paths;
  for (const PicturePath& picture : pictures) paths.push_back(picture.path);
  std::vector<Prediction> predictions = predict(model, paths, command.top);
  std::size_t unreadable = 0;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    Prediction& p = predictions[i];
    p.path = pictures[i].shown;
    if (!p.error.empty()) {
      log_warning(fmt::format("{}: {}", p.path, p.error));
      ++unreadable;
      continue;
    }
    fmt::print("{}\n", command.json ? json_line(p) : command.csv ? csv_line(p) : text_line(p));
    if (drawings) draw_prediction(p, pictures[i], model.classes(), *drawings);
  }
  return unreadable;
}

int run(const PredictCommand& command) {
  const std::vector<PicturePath> pictures = expand(command.paths);
  std::optional<PictureFolder> drawings;
  if (!command.draw.empty()) drawings.emplace(command.draw);
  Model model = load_model(command.inference);
  if (command.csv)
    fmt::print("{}\n", csv_header(std::min(static_cast<std::size_t>(command.top), model.classes().size())));
  const std::size_t slice =
      16 * static_cast<std::size_t>(command.inference.model.batch);  // results appear as they come
  std::size_t unreadable = 0;
  for (std::size_t begin = 0; begin < pictures.size(); begin += slice) {
    const std::size_t count = std::min(slice, pictures.size() - begin);
    unreadable += predict_and_print(model, command, drawings, std::span(pictures).subspan(begin, count));
  }
  return unreadable == 0 ? 0 : 1;
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto predict = std::make_shared<PredictCommand>();
  CLI::App& command = *app.add_subcommand("predict", "Name what is on pictures");
  add_inference(command, predict->inference);
  command
      .add_option("PATH", predict->paths,
                  "Pictures, folders of pictures, or - for standard input (a picture, or paths)")
      ->required();
  command.add_option("--top", predict->top, "Names a picture, the most probable first")
      ->type_name("K")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  CLI::Option* json = command.add_flag("--json", predict->json, "A JSON object a line");
  command.add_flag("--csv", predict->csv, "CSV with a header")->excludes(json);
  command
      .add_option("--draw", predict->draw,
                  "Write each picture with its names into this folder, as JPEG; no file there is overwritten")
      ->type_name("DIR")
      ->default_str("none");
  command.footer("A file that is no picture is named on standard error, and the exit code is 1.");
  command.callback([predict, &action] { action = [predict] { return run(*predict); }; });
}

}  // namespace cudacards::cli
