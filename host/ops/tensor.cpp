#include "host/ops/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/runtime/error.h"

namespace cudacards {

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (const auto size : sizes_) product *= size;
  return product;
}

Shape Shape::with_batch(std::int64_t n) const {
  CUDACARDS_CHECK(!sizes_.empty());
  Shape copy = *this;
  copy.sizes_.front() = n;
  return copy;
}

std::string Shape::to_string() const { return fmt::format("({})", fmt::join(sizes_, ", ")); }

}  // namespace cudacards
