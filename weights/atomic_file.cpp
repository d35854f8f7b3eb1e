#include "weights/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::byte>;

constexpr std::size_t kVerifyBlock = std::size_t{1} << 20;
constexpr const char* kTemporaryInfix = ".tmp-";

std::string advice_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space, or save to another disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a folder that you may write to";
    case ENOENT:
    case ENOTDIR:
      return "create the folder first";
    case EIO:
      return "the disk is failing or has gone: save to another one";
    case EFBIG:
      return "the file is larger than the file system or the limit of this process (ulimit -f) allows";
    default:
      return "nothing was changed: save again or elsewhere";
  }
}

/// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// Takes the lock that tells a living writer from a dead one. File systems without locks answer with another error than
/// EWOULDBLOCK; there no temporary is ever taken for stale.
enum class Lock { kTaken, kHeldByAnother, kUnsupported };

Lock try_lock(int fd) {
  if (uninterrupted([fd] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return Lock::kTaken;
  return errno == EWOULDBLOCK ? Lock::kHeldByAnother : Lock::kUnsupported;
}

/// Best effort: what cannot be removed now is met again by the next save.
void remove_stale_temporaries(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  const std::string prefix = name + kTemporaryInfix;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    if (entry->path().filename().native().compare(0, prefix.size(), prefix) != 0) continue;
    const int fd = ::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    if (try_lock(fd) == Lock::kTaken) ::unlink(entry->path().c_str());
    ::close(fd);
  }
}

/// One save. Whatever has not been handed over to `path` by publish() is closed and removed by the destructor.
class AtomicWrite {
 public:
  AtomicWrite(const std::string& path, std::size_t total_bytes, const FileCalls& calls)
      : path_(path), total_bytes_(total_bytes), calls_(calls), had_old_(::access(path.c_str(), F_OK) == 0) {}
  AtomicWrite(const AtomicWrite&) = delete;
  AtomicWrite& operator=(const AtomicWrite&) = delete;

  ~AtomicWrite() {
    if (fd_ >= 0) calls_.close(fd_);
    if (!temporary_.empty()) calls_.unlink(temporary_.c_str());
    if (folder_fd_ >= 0) calls_.close(folder_fd_);
  }

  void open() {
    const fs::path parent = fs::path(path_).parent_path();
    const fs::path folder = parent.empty() ? fs::path(".") : parent;
    std::error_code ignored;
    if (had_old_ && fs::is_other(path_, ignored))
      throw Error(fmt::format("{} is a device or a pipe, which a file would replace: name a file", path_));
    // Opened before anything is written: having too many open files must not be found out after the rename.
    folder_fd_ = open_file(folder.native(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd_ < 0) fail("opening the folder");
    remove_stale_temporaries(folder, fs::path(path_).filename().native());
    while (!open_temporary()) {
    }
  }

  void write(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t written = uninterrupted([&] { return calls_.write(fd_, bytes.data(), bytes.size()); });
      if (written == 0) errno = ENOSPC;  // no progress and no reason given: ask the person, don't ask the disk forever
      if (written <= 0) fail("writing");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void flush() {
    if (uninterrupted([&] { return calls_.fsync(fd_); }) != 0) fail("flushing");
  }

  /// Reads back from the disk where the system lets us, not from the page cache that was just written.
  void verify(std::span<const Bytes> parts) {
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
    struct stat status {};
    if (::fstat(fd_, &status) != 0 || static_cast<std::size_t>(status.st_size) != total_bytes_) {
      fail_verify(fmt::format("has {} bytes instead of {}", status.st_size, total_bytes_));
    }
    std::vector<std::byte> block(std::min(kVerifyBlock, total_bytes_));
    std::size_t offset = 0;
    for (const Bytes& part : parts) {
      for (std::size_t done = 0; done < part.size();) {
        const std::size_t wanted = std::min(block.size(), part.size() - done);
        const ssize_t got =
            uninterrupted([&] { return calls_.pread(fd_, block.data(), wanted, static_cast<off_t>(offset)); });
        if (got < 0) fail("reading back");
        if (got == 0) fail_verify(fmt::format("ends at byte {}", offset));
        if (std::memcmp(block.data(), part.data() + done, static_cast<std::size_t>(got)) != 0) {
          fail_verify(fmt::format("differs behind byte {}", offset));
        }
        done += static_cast<std::size_t>(got);
        offset += static_cast<std::size_t>(got);
      }
    }
  }

  /// The file stays open, and so locked, until it has its final name: else a writer that cleans up meanwhile could take
  /// it for stale. What a close could complain about, the flush has reported before.
  void publish() {
    if (uninterrupted([&] { return calls_.rename(temporary_.c_str(), path_.c_str()); }) != 0)
      fail("renaming the temporary to");
    temporary_.clear();
    // EINVAL, ENOTSUP: the file system has no flush for folders, so there is none to wait for.
    if (uninterrupted([&] { return calls_.fsync(folder_fd_); }) != 0 && errno != EINVAL && errno != ENOTSUP) {
      throw Error(
          fmt::format("{} is written and whole, but its folder could not be flushed ({}): a power cut now could bring "
                      "back the previous file; save to another disk",
                      path_, reason(errno)));
    }
  }

 private:
  int open_file(const std::string& path, int flags) {
    return uninterrupted([&] { return calls_.open(path.c_str(), flags, 0666); });
  }

  /// False: somebody else has this name, or took the file for stale before it was locked; the next name is free.
  bool open_temporary() {
    static std::atomic<unsigned> count = 0;
    const std::string name = fmt::format("{}{}{}-{}", path_, kTemporaryInfix, ::getpid(), count++);
    const int fd = open_file(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EEXIST) return false;
    if (fd < 0) fail("creating a temporary beside");
    struct stat status {};
    if (try_lock(fd) == Lock::kHeldByAnother || ::fstat(fd, &status) != 0 || status.st_nlink == 0) {
      calls_.close(fd);
      return false;
    }
    fd_ = fd;
    temporary_ = name;
    return true;
  }

  static std::string reason(int error) { return std::generic_category().message(error); }
  const char* old_file() const { return had_old_ ? "the previous file is intact" : "nothing is left behind"; }

  [[noreturn]] void fail(const char* doing) const {
    const int error = errno;
    throw Error(fmt::format("{} {}: {} (it needs {:.1f} MiB); {}: {}", doing, path_, reason(error),
                            static_cast<double>(total_bytes_) / (1 << 20), old_file(), advice_for(error)));
  }

  [[noreturn]] void fail_verify(const std::string& what) const {
    throw Error(
        fmt::format("writing {}: what was read back {}; {}: the disk or the memory is failing, save to another disk",
                    path_, what, old_file()));
  }

  const std::string path_;
  const std::size_t total_bytes_;
  const FileCalls& calls_;
  const bool had_old_;
  std::string temporary_;
  int fd_ = -1;
  int folder_fd_ = -1;
};

}  // namespace

void write_file_atomically(const std::string& path, std::span<const Bytes> parts, const FileCalls& calls) {
  std::size_t total_bytes = 0;
  for (const Bytes& part : parts) total_bytes += part.size();
  AtomicWrite file(path, total_bytes, calls);
  file.open();
  for (const Bytes& part : parts) file.write(part);
  file.flush();
  file.verify(parts);
  file.publish();
}

}  // namespace cudacards
