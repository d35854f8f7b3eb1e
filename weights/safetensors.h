#pragma once
// safetensors: 8 bytes header length (little endian), a JSON header, then raw tensor data. Crash-safe to write, strict to read.
// Format: https://github.com/huggingface/safetensors (F32, BF16, F64, I64, U8, ... ; this reader takes the types below).

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace cudacards {

enum class SafetensorsType : std::uint8_t { kF32, kF64, kBf16, kF16, kI32, kI64, kU8 };

struct TensorView {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// An open file, memory-mapped read-only; views point into it. Every rule of the format is checked when it is opened: lengths, overlaps,
/// holes, overflow, duplicate keys, sizes against shapes. Throws Error naming file and rule; never allocates more than the file's size + 64 MiB.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile();

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* find(const std::string& name) const;
  const std::string& path() const { return path_; }
  /// Values as fp32 (from F32, F16, BF16, F64); throws Error naming the tensor for other types, for another shape than `shape`, and for
  /// a NaN or infinity.
  std::vector<float> read_floats(const std::string& name, const std::vector<std::int64_t>& shape) const;

 private:
  SafetensorsFile() = default;
  std::string path_;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorView> tensors_;
  void* mapping_ = nullptr;
  std::size_t mapped_bytes_ = 0;
};

/// Writes to a temporary file in the same folder, fsync, verify by reading back, rename, fsync of the folder: at every moment `path` is
/// either the old file or the new one, whole. On any failure the temporary is removed, the old file stays, Error says what and where.
void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace cudacards
