#pragma once
// The weightsManifest of a TensorFlow.js model.json as a value. Knows nothing of shards.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cudacards {

enum class TfjsType : std::uint8_t { kFloat32, kFloat16, kInt32, kUint8, kUint16, kBool };

/// value = stored * scale + min.
struct TfjsQuantization {
  TfjsType stored = TfjsType::kUint8;
  double scale = 1, min = 0;
};

struct TfjsWeight {
  std::string name;
  TfjsType type = TfjsType::kFloat32;  // of the value
  std::vector<std::int64_t> shape;
  std::optional<TfjsQuantization> quantization;

  TfjsType stored() const { return quantization ? quantization->stored : type; }
};

/// Tensors that lie in `paths`, one after the other.
struct TfjsGroup {
  std::vector<std::string> paths;
  std::vector<TfjsWeight> weights;
};

std::size_t size_of(TfjsType type);
const char* name_of(TfjsType type);
/// The product of the shape and the stored type's size. Throws Error on overflow.
std::uint64_t byte_count(const TfjsWeight& weight);

/// What is accepted beyond the format's own rules.
struct TfjsLimits {
  static constexpr std::size_t kJsonBytes = std::size_t{8} << 20;
  static constexpr std::size_t kTensors = 65'536;
  static constexpr std::size_t kShards = 4096;
  static constexpr std::size_t kTextBytes = std::size_t{4} << 20;  // of all names together
  static constexpr std::size_t kRank = 8;
  static constexpr std::size_t kDepth = 256;  // of nested lists and objects
};

/// Everything outside weightsManifest (the topology) is skipped without being kept. Throws Error without a file's name.
std::vector<TfjsGroup> parse_tfjs_manifest(std::string_view json);

}  // namespace cudacards
