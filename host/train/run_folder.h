#pragma once
// Where a run's files are: run.toml, metrics.jsonl, results.csv, best.safetensors, last.safetensors.

#include <string>

namespace cudacards {

/// A run's folder. One that was made for a new run is removed again, with what is in it, unless keep() is called.
class RunFolder {
 public:
  /// `wanted`, or runs/<arch>-<n> with the first free n. Throws Error when `wanted` is there and not empty, or when
  /// nothing can be written in it.
  static RunFolder make(const std::string& wanted, const std::string& arch);
  static RunFolder existing(const std::string& path) { return RunFolder(path, Ours::kNo); }
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  void keep() { ours_ = Ours::kNo; }

 private:
  enum class Ours : bool { kNo, kYes };
  RunFolder(std::string path, Ours ours) : path_(std::move(path)), ours_(ours) {}
  std::string path_;
  Ours ours_;  // kYes: nobody needs it yet
};

/// Replaces a small text file crash-safely.
void write_text_file(const std::string& path, const std::string& text);

}  // namespace cudacards
