#include "weights/file_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace cudacards {

const FileCalls& system_file_calls() {
  static const FileCalls calls = {
      .open = [](const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); },
      .write = ::write,
      .pread = ::pread,
      .fsync = ::fsync,
      .close = ::close,
      .rename = ::rename,
      .unlink = ::unlink,
  };
  return calls;
}

}  // namespace cudacards
