#include "host/data/deck/scene_folder.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "host/data/deck/partial_folder.h"
#include "host/data/deck/scene.h"
#include "host/data/jpeg_encode.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

void write_labels(const fs::path& folder, const std::vector<std::string>& lines) {
  std::string text = "filename,width,height,label,xmin,ymin,xmax,ymax,x1,y1,x2,y2,x3,y3,x4,y4\n";
  for (const std::string& line : lines) text += line;
  write_file(folder / "labels.csv", {text.begin(), text.end()});
}

std::string label_lines(const std::string& name, const Scene& scene) {
  std::string lines;
  for (const SceneCard& card : scene.cards) {
    const cv::Rect& box = card.box;
    lines += fmt::format("{},{},{},{},{},{},{},{}", name, scene.image.cols, scene.image.rows, card.label, box.x, box.y,
                         box.br().x, box.br().y);
    for (const cv::Point2f& p : card.corners) lines += fmt::format(",{:.1f},{:.1f}", p.x, p.y);
    lines += "\n";
  }
  return lines;
}

}  // namespace

void make_scenes(const std::string& folder, const SceneOptions& options, const WorkProgress& progress) {
  if (options.scenes < 1) throw UsageError(fmt::format("{} scenes: one is the least (--scenes)", options.scenes));
  cv::setNumThreads(0);  // the scenes are spread over the threads, not the parts of one
  make_whole_folder(folder, [&](const fs::path& partial) {
    std::vector<std::string> lines(static_cast<std::size_t>(options.scenes));
    parallel_items(options.scenes, progress, [&](std::int64_t i) {
      const Scene scene = draw_scene(options, static_cast<int>(i));
      const std::string name = fmt::format("{:04}.jpg", i + 1);
      const cv::Mat& image = scene.image;
      write_file(partial / name, encode_jpeg(image.data, image.rows, image.cols, image.step, 90, ChromaSampling::k420));
      lines[static_cast<std::size_t>(i)] = label_lines(name, scene);
    });
    write_labels(partial, lines);
  });
}

}  // namespace cudacards
