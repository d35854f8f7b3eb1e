#include "host/cli/picture_paths.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "host/data/files.h"
#include "host/data/folder_scan.h"
#include "host/data/image_decode.h"
#include "host/runtime/error.h"

namespace cudacards::cli {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

std::vector<std::string> pictures_below(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error), end;
  for (; !error && entries != end; entries.increment(error)) {
    std::error_code type_error;
    if (is_hidden(entries->path())) {
      if (entries->is_directory(type_error)) entries.disable_recursion_pending();
      continue;
    }
    if (entries->is_regular_file(type_error) && has_picture_extension(entries->path().filename().string())) {
      paths.push_back(entries->path().string());
    }
  }
  if (error) throw Error(fmt::format("cannot read the folder {}: {}", printable(folder), error.message()));
  if (paths.empty()) throw Error(fmt::format("no pictures in {}", printable(folder)));
  std::sort(paths.begin(), paths.end());
  return paths;
}

ByteSpan bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

/// By the first bytes, as for files. A damaged JPEG or PNG is still a picture: no UTF-8 text begins like one.
bool looks_like_picture(const std::string& input) {
  if (input.starts_with("\xFF\xD8") || input.starts_with("\x89PNG")) return true;
  try {
    (void)image_size(bytes_of(input));
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// A file without a name that lives as long as the program.
std::string path_of_memory_file(const std::string& bytes) {
  const int file = memfd_create("standard input", MFD_CLOEXEC);
  if (file < 0) throw Error(fmt::format("cannot keep standard input in memory: {}", std::strerror(errno)));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(fmt::format("cannot keep standard input in memory: {}", std::strerror(errno)));
    done += static_cast<std::size_t>(count);
  }
  return fmt::format("/proc/self/fd/{}", file);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    std::string part = text.substr(begin, end - begin);
    if (separator == '\n' && part.ends_with('\r')) part.pop_back();
    if (!part.empty()) parts.push_back(std::move(part));
    begin = end + 1;
  }
  return parts;
}

void add_file_or_folder(const std::string& path, std::vector<PicturePath>& result) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (const std::string& picture : pictures_below(path))
      result.push_back({picture, printable(picture), /*named=*/false});
  } else {
    result.push_back({path, printable(path)});
  }
}

void add_standard_input(std::vector<PicturePath>& result) {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  if (input.empty()) throw UsageError("standard input is empty: expected a picture or a list of paths");
  if (looks_like_picture(input)) {
    result.push_back({path_of_memory_file(input), "-"});
    return;
  }
  const char separator = input.find('\0') != std::string::npos ? '\0' : '\n';
  for (const std::string& path : split(input, separator)) add_file_or_folder(path, result);
}

}  // namespace

std::vector<PicturePath> expand(const std::vector<std::string>& arguments) {
  std::vector<PicturePath> result;
  for (const std::string& argument : arguments) {
    argument == "-" ? add_standard_input(result) : add_file_or_folder(argument, result);
  }
  return result;
}

}  // namespace cudacards::cli
