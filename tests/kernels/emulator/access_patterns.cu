#include "tests/kernels/emulator/access_patterns.h"

#include "kernels/simt/emulator/emulator.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/tile.h"
#include "kernels/simt/vector.h"

namespace cudacards::testing {
namespace {

constexpr int kFloats = 32 * 33;

__global__ void global_pattern(AccessPattern pattern, const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (pattern == AccessPattern::kGlobalVectors) {
    store_vector(out + 4 * t, load_vector<4>(in + 4 * t));
    return;
  }
  int at = t;
  if (pattern == AccessPattern::kGlobalOffByOne) at = t + 1;
  if (pattern == AccessPattern::kGlobalStrided) at = 8 * t;
  if (pattern == AccessPattern::kGlobalBroadcast) at = 0;
  out[t] = in[at];
}

struct Floats {
  float v[kFloats];
};

__global__ void shared_pattern(AccessPattern pattern, float* out) {
  Floats& floats = shared<Floats>();
  const int t = static_cast<int>(threadIdx.x);
  for (int i = t; i < kFloats; i += 32) floats.v[i] = 1.0f;
  __syncthreads();
  if (pattern == AccessPattern::kSharedVectors) {
    store_vector(out + 4 * t, load_vector<4>(&floats.v[4 * t]));
    return;
  }
  out[t] = floats.v[t * (pattern == AccessPattern::kSharedColumn ? 32 : 33)];
}

__global__ void matrix_pattern(AccessPattern pattern, float* out) {
  using Rows = Tile<__nv_bfloat16, 32, 64>;
  Rows& rows = shared<Rows>();
  const int t = static_cast<int>(threadIdx.x);
  for (int i = t; i < 32 * 64; i += 32) rows.elements[i] = __float2bfloat16_rn(1.0f);
  __syncthreads();
  std::uint32_t to[4];
  ldmatrix_x4(to, pattern == AccessPattern::kMatrixRowsSwizzled ? rows.chunk(t, 0) : rows.elements + t * 64);
  out[t] = static_cast<float>(to[0]);
}

}  // namespace

Status run_pattern(AccessPattern pattern) {
  auto* in = static_cast<float*>(emulator::allocate(sizeof(float) * kFloats, "in"));
  auto* out = static_cast<float*>(emulator::allocate(sizeof(float) * kFloats, "out"));
  emulator::fill(in, 0, sizeof(float) * kFloats);
  const LaunchConfig one_warp = {.grid = dim3(1), .block = dim3(32)};
  Status status = Status::ok();
  if (pattern <= AccessPattern::kGlobalVectors) {
    status = launch(global_pattern, one_warp, pattern, in, out);
  } else if (pattern <= AccessPattern::kSharedVectors) {
    status = launch(shared_pattern, one_warp, pattern, out);
  } else {
    status = launch(matrix_pattern, one_warp, pattern, out);
  }
  emulator::free(in);
  emulator::free(out);
  return status;
}

}  // namespace cudacards::testing
