#pragma once
// A folder that appears whole or not at all.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace cudacards {

/// A folder beside the one to be made, which replaces it when everything is written, and vanishes when not. One that a
/// killed process has left behind is removed by the next.
class PartialFolder {
 public:
  /// Makes <target>.partial-<pid>. Throws std::filesystem::filesystem_error.
  explicit PartialFolder(const std::filesystem::path& target);
  ~PartialFolder();
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Gives it its name, when its files are on the disk. Throws Error.
  void publish();

 private:
  bool make(const std::filesystem::path& path);

  std::filesystem::path target_, path_;
  int lock_ = -1;  // tells the others that this process lives
  bool published_ = false;
};

/// Calls `fill` with a new folder, which becomes `folder` when that is done. Throws Error where `folder` exists and is
/// not empty, or where it cannot be written.
void make_whole_folder(const std::string& folder, const std::function<void(const std::filesystem::path&)>& fill);

/// Throws Error.
void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes);

}  // namespace cudacards
