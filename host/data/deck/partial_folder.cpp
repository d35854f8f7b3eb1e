#include "host/data/deck/partial_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInfix = ".partial-";

int open_folder(const fs::path& path) { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/// The lock of a process ends with it, so that whoever gets it knows that the folder is nobody's. File systems without
/// locks refuse it; there no folder is ever taken for stale.
bool try_lock(int folder) { return ::flock(folder, LOCK_EX | LOCK_NB) == 0; }

/// Best effort: what cannot be removed now is met again the next time.
void remove_stale(const fs::path& target) {
  std::error_code ignored;
  const std::string prefix = target.filename().native() + kInfix;
  for (fs::directory_iterator entry(target.parent_path(), ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (!entry->path().filename().native().starts_with(prefix)) continue;
    const int folder = open_folder(entry->path());
    if (folder < 0) continue;
    std::error_code still_there;
    if (try_lock(folder)) fs::remove_all(entry->path(), still_there);
    ::close(folder);
  }
}

}  // namespace

PartialFolder::PartialFolder(const fs::path& target) : target_(target) {
  fs::create_directories(target.parent_path());
  remove_stale(target);
  const std::string name = fmt::format("{}{}{}", target.native(), kInfix, ::getpid());
  for (int n = 1; !make(n == 1 ? name : fmt::format("{}-{}", name, n)); ++n) {
  }
}

/// False: somebody else has this name, or took the folder for stale before it was locked.
bool PartialFolder::make(const fs::path& path) {
  if (!fs::create_directory(path)) return false;
  const int folder = open_folder(path);
  if (folder < 0 && errno == ENOENT) return false;
  if (folder < 0) {
    const std::error_code problem(errno, std::generic_category());
    ::rmdir(path.c_str());
    throw fs::filesystem_error("cannot open", path, problem);
  }
  struct stat status {};
  const bool is_anothers = !try_lock(folder) && errno == EWOULDBLOCK;
  if (is_anothers || ::fstat(folder, &status) != 0 || status.st_nlink == 0) {
    ::close(folder);
    return false;
  }
  lock_ = folder;
  path_ = path;
  return true;
}

PartialFolder::~PartialFolder() {
  std::error_code ignored;
  if (!published_) fs::remove_all(path_, ignored);
  ::close(lock_);
}

void PartialFolder::publish() {
  // Data first, then the name: after a power cut there is no folder of empty files.
  if (::syncfs(lock_) != 0) {
    throw Error(fmt::format("cannot write {} to the disk: {}", path_.string(), std::strerror(errno)));
  }
  fs::rename(path_, target_);  // an empty folder of that name is replaced
  published_ = true;
}

void make_whole_folder(const std::string& folder, const std::function<void(const fs::path&)>& fill) {
  fs::path target = fs::absolute(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "deck/" and "deck" are the same folder
  try {
    if (fs::exists(target) && (!fs::is_directory(target) || !fs::is_empty(target))) {
      throw Error(fmt::format("{} exists already: choose another folder or remove it", folder));
    }
    PartialFolder partial(target);
    fill(partial.path());
    partial.publish();
  } catch (const fs::filesystem_error& problem) {
    throw Error(
        fmt::format("cannot make the folder {}: {} ({})", folder, problem.code().message(), problem.path1().string()));
  }
}

void write_file(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw Error(fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
}

}  // namespace cudacards
