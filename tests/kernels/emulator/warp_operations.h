#pragma once
// What the warp operations and matrix instructions of kernels/simt compute, read back lane by lane.

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/base/status.h"

namespace cudacards::testing {

using Lanes = std::array<float, 32>;

struct WarpResults {
  Lanes index, up, down, xored, segment, ballot, all, any, added, largest, sum, maximum;
};
/// in[lane] is the operand of every operation.
Status run_warp_operations(const Lanes& in, WarpResults& results);

/// d (16,8) = a (16,k) * b (k,8) + d by tile.h's loads and the matrix instruction, all row-major.
enum class Matrix16 : std::uint8_t { kBf16, kFp16, kBf16Transposed };
Status run_matrix16(Matrix16 kind, const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& d);
Status run_matrix_tf32(const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& d);

}  // namespace cudacards::testing
