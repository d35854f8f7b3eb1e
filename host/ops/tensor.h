#pragma once
// Shapes and element types of the graph's tensors. Layout is NHWC for pictures and (N, units) for vectors, innermost
// last.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels/base/dtype.h"

namespace cudacards {

/// Sizes from the outermost to the innermost dimension. The batch is dimension 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) : sizes_(sizes) {}
  explicit Shape(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {}

  int rank() const { return static_cast<int>(sizes_.size()); }
  std::int64_t operator[](int i) const { return sizes_.at(static_cast<std::size_t>(i)); }
  std::int64_t elements() const;
  /// The same shape with another batch.
  Shape with_batch(std::int64_t n) const;
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  /// "(32, 28, 28, 128)".
  std::string to_string() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> sizes_;
};

struct TensorDesc {
  Shape shape;
  DType type = DType::kF32;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(type); }
  bool operator==(const TensorDesc&) const = default;
};

}  // namespace cudacards
