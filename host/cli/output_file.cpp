#include "host/cli/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/picture_encode.h"
#include "host/runtime/error.h"
#include "weights/atomic_file.h"

namespace cudacards::cli {

namespace fs = std::filesystem;

void check_output(const std::string& path) {
  if (path.empty()) return;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw Error(fmt::format("{}: is a folder; name a file", printable(path)));
  if (fs::is_other(path, ignored)) throw Error(fmt::format("{}: is a device or a pipe; name a file", printable(path)));
  const std::string parent = fs::path(path).parent_path().string();
  if (access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) == 0) return;
  throw Error(fmt::format("{}: cannot write there ({})", printable(path), std::strerror(errno)));
}

void check_picture_output(const std::string& path) {
  if (path.empty()) return;
  picture_format_of(path);
  check_output(path);
}

void write_picture(const std::string& path, const Image& picture) {
  const std::vector<std::uint8_t> bytes = encode_picture(picture, picture_format_of(path));
  const std::span<const std::byte> part = std::as_bytes(std::span(bytes));
  write_file_atomically(path, {&part, 1});
}

}  // namespace cudacards::cli
