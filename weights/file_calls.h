#pragma once
// The system calls that saving a file takes, as one value, so that a test can make each of them fail.

#include <sys/types.h>

#include <cstddef>

namespace cudacards {

/// Each behaves as the call of its name: -1 and errno on failure.
struct FileCalls {
  int (*open)(const char* path, int flags, mode_t mode);
  ssize_t (*write)(int fd, const void* bytes, std::size_t count);
  ssize_t (*pread)(int fd, void* bytes, std::size_t count, off_t offset);
  int (*fsync)(int fd);
  int (*close)(int fd);
  int (*rename)(const char* from, const char* to);
  int (*unlink)(const char* path);
};

/// The real ones.
const FileCalls& system_file_calls();

}  // namespace cudacards
