#include "host/train/run_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "weights/atomic_file.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

void make_folders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Error(fmt::format("{}: cannot make the folder ({}); choose another with --out", path, error.message()));
}

void require_writable(const std::string& path) {
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    throw Error(
        fmt::format("{}: cannot write there ({}); choose another folder with --out", path, std::strerror(errno)));
  }
}

}  // namespace

RunFolder RunFolder::make(const std::string& wanted, const std::string& arch) {
  if (!wanted.empty()) {
    std::error_code error;
    if (fs::exists(wanted, error) && !(fs::is_directory(wanted, error) && fs::is_empty(wanted, error))) {
      throw Error(
          fmt::format("{}: is there already and not empty; continue that run with --resume {}, or choose another --out",
                      wanted, wanted));
    }
    make_folders(wanted);
    require_writable(wanted);
    return {wanted, Ours::kYes};
  }
  make_folders("runs");
  require_writable("runs");
  for (int n = 1;; ++n) {
    const std::string path = fmt::format("runs/{}-{}", arch, n);
    if (mkdir(path.c_str(), 0777) == 0)
      return {path, Ours::kYes};  // atomic: two runs that start together get two folders
    if (errno != EEXIST)
      throw Error(
          fmt::format("{}: cannot make the folder ({}); choose another with --out", path, std::strerror(errno)));
  }
}

RunFolder::~RunFolder() {
  if (ours_ == Ours::kNo) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_text_file(const std::string& path, const std::string& text) {
  const std::span<const std::byte> part(reinterpret_cast<const std::byte*>(text.data()), text.size());
  write_file_atomically(path, {&part, 1});
}

}  // namespace cudacards
