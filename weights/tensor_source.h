#pragma once
// A file of named tensors in somebody else's format, read as fp32. Opening checks everything but the values; values are
// read when they are asked for, so that a file costs no more memory than the tensors that somebody wants.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cudacards {

struct SourceTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // outermost first, as in the file
  std::string type;                 // the file's own word: "F32", "float32", "uint8 (quantised)"
  bool is_float = true;             // false: what can be listed and not read
  std::size_t elements = 0;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::string& path() const = 0;
  virtual const char* format() const = 0;  // "safetensors", "TensorFlow.js layers"
  virtual const std::vector<SourceTensor>& tensors() const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  /// Elements first, first + 1, ... of tensor `index`, as fp32 and unchecked; only of those that are floats.
  virtual void read(std::size_t index, std::size_t first, std::span<float> dst) const = 0;

  const SourceTensor* find(std::string_view name) const;
  /// Throws Error naming the tensor when it is not of floating point, or has a value that is NaN or infinite.
  void check_finite(const SourceTensor& tensor) const;
  /// check_finite, then the whole tensor.
  std::vector<float> read_finite(const SourceTensor& tensor) const;

 private:
  std::size_t index_of(const SourceTensor& tensor) const {
    return static_cast<std::size_t>(&tensor - tensors().data());
  }
};

/// A safetensors file, or the model.json of a TensorFlow.js layers model (or its folder). Throws Error naming the file
/// and the rule that it breaks; never allocates more than the files' size + 64 MiB.
std::unique_ptr<TensorSource> open_tensor_source(const std::string& path);

}  // namespace cudacards
