#include "tests/kernels/emulator/warp_operations.h"

#include "kernels/simt/emulator/emulator.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/tile.h"

namespace cudacards::testing {
namespace {

constexpr int kResults = sizeof(WarpResults) / sizeof(Lanes);

__global__ void warp_operations_kernel(const float* in, float* out) {
  const int lane = lane_index();
  const float x = in[lane];
  const float results[kResults] = {
      __shfl_sync(kWholeWarp, x, 31 - lane),
      __shfl_up_sync(kWholeWarp, x, 3),
      __shfl_down_sync(kWholeWarp, x, 5),
      __shfl_xor_sync(kWholeWarp, x, 9),
      __shfl_down_sync(kWholeWarp, x, 3, 8),
      static_cast<float>(__popc(__ballot_sync(kWholeWarp, x > 3.0f))),
      static_cast<float>(__all_sync(kWholeWarp, x > -1.0f)),
      static_cast<float>(__any_sync(kWholeWarp, x > 100.0f)),
      static_cast<float>(__reduce_add_sync(kWholeWarp, static_cast<int>(x))),
      static_cast<float>(__reduce_max_sync(kWholeWarp, static_cast<int>(x))),
      warp_sum(x),
      warp_max(x),
  };
  for (int i = 0; i < kResults; ++i) out[i * 32 + lane] = results[i];
}

/// a is (16,16) and b (16,8) in fp32; the tiles hold b as (n,k), or with kTransposed a as (k,m) and b as (k,n).
template <class T, bool kTransposed>
__global__ void matrix16_kernel(const float* a, const float* b, float* d) {
  struct Tiles {
    Tile<T, 16, 16> a, b;
  };
  Tiles& tiles = shared<Tiles>();
  const int lane = lane_index();
  for (int i = lane; i < 256; i += 32) {
    const int row = i / 16, column = i % 16;
    (kTransposed ? tiles.a.at(column, row) : tiles.a.at(row, column)) = from_float<T>(a[i]);
    // Two B side by side, the second zero.
    const float value = column < 8 ? b[row * 8 + column] : 0.0f;
    (kTransposed ? tiles.b.at(row, column) : tiles.b.at(column, row)) = from_float<T>(value);
  }
  __syncthreads();
  std::uint32_t left[4], right[4];
  if constexpr (kTransposed) {
    tiles.a.load_a_transposed(0, 0, left);
    tiles.b.load_b_transposed(0, 0, right);
  } else {
    tiles.a.load_a(0, 0, left);
    tiles.b.load_b(0, 0, right);
  }
  float sums[4];
  for (int i = 0; i < 4; ++i) {
    const MmaPlace at = mma_c_place(lane, i);
    sums[i] = d[at.row * kMmaN + at.column];
  }
  const std::uint32_t first[2] = {right[0], right[1]};
  mma_m16n8k16<T>(sums, left, first);
  for (int i = 0; i < 4; ++i) {
    const MmaPlace at = mma_c_place(lane, i);
    d[at.row * kMmaN + at.column] = sums[i];
  }
}

__global__ void matrix_tf32_kernel(const float* a, const float* b, float* d) {
  const int lane = lane_index();
  std::uint32_t left[4], right[2];
  for (int reg = 0; reg < 4; ++reg) {
    const MmaPlace at = mma8_a_place(lane, reg);
    left[reg] = tf32_bits(a[at.row * 8 + at.column]);
  }
  for (int reg = 0; reg < 2; ++reg) {
    const MmaPlace at = mma8_b_place(lane, reg);
    right[reg] = tf32_bits(b[at.row * 8 + at.column]);
  }
  float sums[4];
  for (int i = 0; i < 4; ++i) {
    const MmaPlace at = mma_c_place(lane, i);
    sums[i] = d[at.row * kMmaN + at.column];
  }
  mma_m16n8k8_tf32(sums, left, right);
  for (int i = 0; i < 4; ++i) {
    const MmaPlace at = mma_c_place(lane, i);
    d[at.row * kMmaN + at.column] = sums[i];
  }
}

struct OnDevice {
  float* memory;
  std::size_t bytes;
  explicit OnDevice(std::size_t count)
      : memory(static_cast<float*>(emulator::allocate(count * sizeof(float), "values"))),
        bytes(count * sizeof(float)) {}
  explicit OnDevice(const std::vector<float>& host) : OnDevice(host.size()) {
    emulator::copy_to_device(memory, host.data(), bytes);
  }
  ~OnDevice() { emulator::free(memory); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
};

constexpr unsigned kWarp = 32;

Status run_product(void (*kernel)(const float*, const float*, float*), const std::vector<float>& a,
                   const std::vector<float>& b, std::vector<float>& d) {
  OnDevice left(a), right(b), sums(d);
  const Status status = launch(kernel, {.grid = dim3(1), .block = dim3(kWarp)}, left.memory, right.memory, sums.memory);
  return status ? emulator::copy_to_host(d.data(), sums.memory, sums.bytes) : status;
}

}  // namespace

Status run_warp_operations(const Lanes& in, WarpResults& results) {
  OnDevice from(std::vector<float>(in.begin(), in.end())), to(std::size_t{kResults} * kWarp);
  const Status status = launch(warp_operations_kernel, {.grid = dim3(1), .block = dim3(kWarp)}, from.memory, to.memory);
  return status ? emulator::copy_to_host(&results, to.memory, to.bytes) : status;
}

Status run_matrix16(Matrix16 kind, const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& d) {
  switch (kind) {
    case Matrix16::kBf16:
      return run_product(matrix16_kernel<__nv_bfloat16, false>, a, b, d);
    case Matrix16::kFp16:
      return run_product(matrix16_kernel<__half, false>, a, b, d);
    case Matrix16::kBf16Transposed:
      return run_product(matrix16_kernel<__nv_bfloat16, true>, a, b, d);
  }
  return Status::failed("?");
}

Status run_matrix_tf32(const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& d) {
  return run_product(matrix_tf32_kernel, a, b, d);
}

}  // namespace cudacards::testing
