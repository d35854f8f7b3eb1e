#pragma once
// A regular file in memory, read-only, by mmap. Cheap to open whatever its size; pages are read when they are touched.

#include <cstddef>
#include <span>
#include <string>

namespace cudacards {

class MappedFile {
 public:
  /// Throws Error for what cannot be read or is not a regular file (a folder, a pipe, a device).
  static MappedFile open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(mapping_), size_}; }

 private:
  MappedFile() = default;
  std::string path_;
  void* mapping_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cudacards
