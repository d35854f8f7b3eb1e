#pragma once
// safetensors: 8 bytes header length (little endian), a JSON header, then raw tensor data. Crash-safe to write, strict
// to read. Format: https://github.com/huggingface/safetensors. Of its types this program takes those below.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/file_calls.h"
#include "weights/mapped_file.h"

namespace cudacards {

enum class SafetensorsType : std::uint8_t { kF32, kF64, kBf16, kF16, kI32, kI64, kU8 };

std::size_t size_of(SafetensorsType type);
const char* name_of(SafetensorsType type);  // "F32", as in the file

struct TensorView {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // row-major, little endian; not necessarily aligned to the type
};

bool is_float(SafetensorsType type);  // F32, F64, BF16 or F16: what can be read as fp32
/// Elements first, first + 1, ... as fp32, unchecked. A double that fp32 cannot hold becomes an infinity.
void read_elements(const TensorView& tensor, std::size_t first, std::span<float> dst);

/// fp32 values as a tensor to write. The values must outlive the view.
TensorView float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);

/// What this reader accepts beyond the format's own rules: far above any real model, far below what would cost memory.
struct SafetensorsLimits {
  static constexpr std::uint64_t kHeaderBytes = 100'000'000;  // as the format's reference implementation
  static constexpr std::size_t kTensors = 65'536;
  static constexpr std::size_t kMetadataEntries = 65'536;
  static constexpr std::size_t kTextBytes = std::size_t{32} << 20;  // of all names and metadata together
  static constexpr std::size_t kRank = 8;
};

/// An open file, memory-mapped read-only; views point into it. Every rule of the format is checked when it is opened:
/// lengths, overlaps, holes, overflow, duplicate keys, sizes against shapes. Throws Error naming file and rule; never
/// allocates more than the file's size + 64 MiB.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// In the order of their bytes in the file.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* find(std::string_view name) const;

  /// Throws Error naming the tensor when it is missing, not of a floating-point type (F32, F16, BF16, F64), of another
  /// shape than `shape`, or has a value that is NaN, infinite or too large for fp32.
  void check_floats(std::string_view name, const std::vector<std::int64_t>& shape) const;
  /// check_floats, then the values as fp32.
  std::vector<float> read_floats(std::string_view name, const std::vector<std::int64_t>& shape) const;
  void read_floats(std::string_view name, const std::vector<std::int64_t>& shape, std::span<float> dst) const;

 private:
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {}
  const TensorView& floats(std::string_view name, const std::vector<std::int64_t>& shape) const;

  MappedFile file_;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorView> tensors_;
  std::vector<std::uint32_t> by_name_;  // indices in tensors_, sorted by name
};

/// Replaces `path` in a crash-safe way (weights/atomic_file.h). Throws Error for what open() would refuse, before
/// anything is written, and for every failure of the disk. The same arguments give the same bytes.
void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const FileCalls& calls = system_file_calls());

}  // namespace cudacards
