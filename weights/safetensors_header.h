#pragma once
// The JSON header of a safetensors file as a value, and back. Knows nothing of files.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/safetensors.h"

namespace cudacards {

struct TensorEntry {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes in the data
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;
};

/// Strict: exactly the format's keys, each once; decimal integers only; strings in UTF-8. Throws Error without a file's
/// name.
SafetensorsHeader parse_header(std::string_view json);

/// Sorts the tensors by their place and refuses entries that don't tile the `data_bytes` bytes of data exactly: sizes
/// that don't match shapes, holes, overlaps, bytes that belong to nobody, names used twice. Throws Error without a
/// file's name.
void check_layout(SafetensorsHeader& header, std::uint64_t data_bytes);

/// Throws Error for a name that is empty, not UTF-8, has control characters or looks like a path that leaves its
/// folder.
void check_tensor_name(std::string_view name);

/// The product of `shape` and the type's size; throws Error for a negative size and on overflow.
std::uint64_t byte_count(const TensorEntry& tensor);

/// JSON without the length, padded with spaces so that the data behind it starts at a multiple of 8 bytes.
std::string format_header(const SafetensorsHeader& header);

}  // namespace cudacards
