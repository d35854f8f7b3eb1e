#pragma once
// Is every element a number? Read once, at the speed of memory.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

/// False when a NaN or an infinity is among the elements. Integers are always finite.
bool all_finite(const void* data, DType type, std::int64_t count);

}  // namespace cudacards
