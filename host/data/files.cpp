#include "host/data/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/utf8.h"

namespace cudacards {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::vector<std::uint8_t> read_file(const std::string& path) {
  // O_NONBLOCK: a pipe that took a picture's place since the folder was listed must not hang the run.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) throw Error(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) throw Error("not a regular file");
  if (info.st_size == 0) throw Error("empty file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > kMaxFileBytes) throw Error(fmt::format("larger than {} MiB", kMaxFileBytes >> 20));

  std::vector<std::uint8_t> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(std::strerror(errno));
    if (n == 0) throw Error("became shorter while it was read");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

std::string printable(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    const std::size_t length = utf8_length(name);
    const auto lead = static_cast<unsigned char>(name.front());
    if (length == 0 || lead < 0x20 || lead == 0x7F) {
      text += fmt::format("\\x{:02X}", lead);
      name.remove_prefix(1);
    } else {
      text += name.substr(0, length);
      name.remove_prefix(length);
    }
  }
  return text;
}

std::string printable_below(std::string_view path, std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  const bool is_below =
      !root.empty() && path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/';
  return printable(is_below ? path.substr(root.size() + 1) : path);
}

}  // namespace cudacards
