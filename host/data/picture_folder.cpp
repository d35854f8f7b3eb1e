#include "host/data/picture_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "host/data/files.h"
#include "host/data/picture_encode.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

std::string stem_of(const std::string& name) {
  std::string stem = fs::path(name).stem().string();
  return stem.empty() || stem == "-" ? "picture" : stem;
}

/// A new file <folder>/<stem>.jpg or <stem>-2.jpg, ... open for writing; `path` gets its name.
int create_beside_others(const std::string& folder, const std::string& stem, std::string& path) {
  for (int number = 1;; ++number) {
    path = (fs::path(folder) / (number == 1 ? stem + ".jpg" : fmt::format("{}-{}.jpg", stem, number))).string();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST) return file;
  }
}

bool write_all(int file, const std::vector<std::uint8_t>& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

Error cannot_write(const std::string& path) {
  return Error(fmt::format("cannot write {}: {}", printable(path), std::strerror(errno)));
}

}  // namespace

PictureFolder::PictureFolder(const std::string& folder) : folder_(folder) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw Error(fmt::format("cannot make the folder {}: {}", printable(folder_), error.message()));
  if (!fs::is_directory(folder_)) throw Error(fmt::format("{} is no folder", printable(folder_)));
  if (::access(folder_.c_str(), W_OK | X_OK) != 0) throw cannot_write(folder_);
}

std::string PictureFolder::add(const std::string& name, const Image& image) const {
  try {
    check_encodable(PictureFormat::kJpeg, image.height, image.width);
  } catch (const Error& error) {
    throw Error(fmt::format("{} cannot be drawn: {}", printable(name), error.what()));
  }
  const std::vector<std::uint8_t> bytes = encode_picture(image, PictureFormat::kJpeg);
  std::string path;
  const int file = create_beside_others(folder_, stem_of(name), path);
  if (file < 0) throw cannot_write(path);
  const bool written = write_all(file, bytes);
  const Error problem = cannot_write(path);  // before close() changes the reason
  if (::close(file) == 0 && written) return path;
  ::unlink(path.c_str());
  throw problem;
}

}  // namespace cudacards
