#include "tests/support/small_run.h"

#include <array>

#include <fmt/format.h>

#include "host/train/presets.h"
#include "tests/support/pictures.h"

namespace cudacards::testing_support {
namespace {

// A class's pictures share a colour; everything else about them differs.
void write_coloured(const std::filesystem::path& folder, int count, int class_index, std::uint32_t seed) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    Image image = picture(32, 32, seed + static_cast<std::uint32_t>(i));
    for (std::size_t p = 0; p < image.bytes(); p += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        const int colour = static_cast<int>(c) == class_index ? 220 : 30;
        image.pixels[p + c] = static_cast<std::uint8_t>((image.pixels[p + c] + 3 * colour) / 4);
      }
    }
    write(folder / fmt::format("{:03}.jpg", i), jpeg(image));
  }
}

}  // namespace

SmallRun::SmallRun() {
  const std::array names = {"blue suit", "green suit", "red suit"};
  for (std::size_t k = 0; k < names.size(); ++k) {
    const int colour = 2 - static_cast<int>(k);
    write_coloured(folder_.path() / "data" / "train" / names[k], 10, colour, static_cast<std::uint32_t>(100 * k));
    write_coloured(folder_.path() / "data" / "valid" / names[k], 4, colour, static_cast<std::uint32_t>(100 * k + 50));
  }
}

RunConfig SmallRun::config(const std::string& arch, const std::string& run_name) const {
  RunConfig config;
  config.arch = arch;
  apply_preset(config, "best");
  config.data = data();
  config.out = run(run_name);
  config.image_size = 32;
  config.epochs = 2;
  config.batch = 8;
  config.warmup_epochs = 0.5f;
  config.ema_decay = 0.9f;
  config.threads = 2;
  return config;
}

}  // namespace cudacards::testing_support
