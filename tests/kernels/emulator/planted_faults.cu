// Every kernel is a template: kFaulty has the mistake, in a line marked FAULT (a race
// in either of two: whichever thread comes second); its clean twin differs in nothing else.

#include "tests/kernels/emulator/planted_faults.h"

#include <vector>

#include "kernels/simt/async_copy.h"
#include "kernels/simt/emulator/emulator.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/mma.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/vector.h"
#include "kernels/simt/warp.h"

namespace cudacards::testing {
namespace {

using emulator::FaultKind;

constexpr int kThreads = 64;
constexpr bool kWrong = true;

struct Row {
  float v[kThreads];
};

// --- races in shared memory

template <bool kFaulty>
__global__ void missing_barrier(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  row.v[t] = 0.0f;
  __syncthreads();
  row.v[t] = in[t];  // FAULT missing_barrier
  if constexpr (!kFaulty) __syncthreads();
  out[t] = row.v[(t + 37) % kThreads];  // FAULT missing_barrier
}

template <bool kFaulty>
__global__ void tile_reused_too_early(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int step = 0; step < 2; ++step) {
    row.v[t] = in[t] + static_cast<float>(step);  // FAULT tile_reused_too_early
    __syncthreads();
    sum += row.v[kThreads - 1 - t];  // FAULT tile_reused_too_early
    if constexpr (!kFaulty) __syncthreads();
  }
  out[t] = sum;
}

template <bool kFaulty>
__global__ void warp_without_sync(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  row.v[t] = 0.0f;
  __syncthreads();
  row.v[t] = in[t];  // FAULT warp_without_sync
  if constexpr (!kFaulty) __syncwarp();
  out[t] = row.v[t ^ 1];  // FAULT warp_without_sync
}

template <bool kFaulty>
__global__ void warp_sync_of_too_few(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  row.v[t] = 0.0f;
  __syncthreads();
  row.v[t] = in[t];  // FAULT warp_sync_of_too_few
  const unsigned half = t % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
  __syncwarp(kFaulty ? half : kWholeWarp);
  out[t] = row.v[t ^ 16];  // FAULT warp_sync_of_too_few
}

/// A shuffle exchanges registers and orders no memory.
template <bool kFaulty>
__global__ void shuffle_as_barrier(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  row.v[t] = 0.0f;
  __syncthreads();
  row.v[t] = in[t];  // FAULT shuffle_as_barrier
  const float other = __shfl_xor_sync(kWholeWarp, in[t], 1);
  if constexpr (!kFaulty) __syncwarp();
  out[t] = row.v[t ^ 1] - other;  // FAULT shuffle_as_barrier
}

/// Everybody reads one place, one thread changes it: after a barrier.
template <bool kFaulty>
__global__ void broadcast_then_write(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) row.v[0] = in[0];
  __syncthreads();
  out[t] = row.v[0];  // FAULT broadcast_then_write
  if constexpr (!kFaulty) __syncthreads();
  if (t == 40) row.v[0] = 1.0f;  // FAULT broadcast_then_write
}

// --- races in global memory

template <bool kFaulty>
__global__ void lost_update(const float*, float* out) {
  if (kFaulty) {
    out[0] += 1.0f;  // FAULT lost_update
  } else {
    atomicAdd(&out[0], 1.0f);
  }
}

template <bool kFaulty>
__global__ void two_blocks_one_place(const float*, float* out) {
  if (threadIdx.x == 0) out[kFaulty ? 0 : blockIdx.x] = static_cast<float>(blockIdx.x);  // FAULT two_blocks_one_place
}

template <bool kFaulty>
__global__ void block_reads_what_another_writes(const float*, float* out) {
  const int t = static_cast<int>(threadIdx.x), b = static_cast<int>(blockIdx.x);
  const int other = kFaulty ? 1 - b : b;
  out[kThreads * 2 + b * kThreads + t] = out[other * kThreads + t];  // FAULT block_reads_what_another_writes
  __syncthreads();
  out[b * kThreads + t] = 1.0f;  // FAULT block_reads_what_another_writes
}

template <bool kFaulty>
__global__ void atomic_and_plain(const float*, float* out) {
  if (threadIdx.x % 2 == 0) {
    atomicAdd(&out[0], 1.0f);  // FAULT atomic_and_plain
  } else if (kFaulty) {
    out[0] = 2.0f;  // FAULT atomic_and_plain
  }
}

/// Two bf16 of one word belong to two threads: no fault. One of them twice: a fault.
template <bool kFaulty>
__global__ void neighbours_in_a_word(const float*, float* out) {
  auto* halves = reinterpret_cast<__nv_bfloat16*>(out);
  const int t = static_cast<int>(threadIdx.x);
  halves[kFaulty ? t / 2 : t] = __float2bfloat16_rn(1.0f);  // FAULT neighbours_in_a_word
}

// --- memory

template <bool kFaulty>
__global__ void read_past_the_end(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = in[kFaulty ? t + 1 : t];  // FAULT read_past_the_end
}

template <bool kFaulty>
__global__ void write_before_the_begin(const float*, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  out[kFaulty ? t - 1 : t] = 1.0f;  // FAULT write_before_the_begin
}

template <bool kFaulty>
__global__ void shared_past_the_end(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  float* v = row.v;
  v[kFaulty ? t + 1 : t] = in[t];  // FAULT shared_past_the_end
  __syncthreads();
  out[t] = row.v[t];
}

template <bool kFaulty>
__global__ void dynamic_past_the_end(const float* in, float* out) {
  auto* v = dynamic_shared<float>();
  const int t = static_cast<int>(threadIdx.x);
  v[kFaulty ? t + 1 : t] = in[t];  // FAULT dynamic_past_the_end
  __syncthreads();
  out[t] = v[t];
}

template <bool kFaulty>
__global__ void register_past_the_end(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float sums[4] = {};
  for (int i = 0; i < (kFaulty ? 5 : 4); ++i) sums[i] += in[t];  // FAULT register_past_the_end
  out[t] = sums[0] + sums[1] + sums[2] + sums[3];
}

template <bool kFaulty>
__global__ void vector_past_the_end(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  auto four = load_vector<4>(in + t / 4 * 4);
  for (int i = 1; i < (kFaulty ? 5 : 4); ++i) four[i] += four[i - 1];  // FAULT vector_past_the_end
  out[t] = four[t % 4];
}

template <bool kFaulty>
__global__ void uninitialised_shared(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  if (!kFaulty || t != 7) row.v[t] = in[t];
  __syncthreads();
  out[t] = row.v[t];  // FAULT uninitialised_shared
}

template <bool kFaulty>
__global__ void uninitialised_global(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (!kFaulty) out[t] = in[t];
  out[t] += 1.0f;  // FAULT uninitialised_global
}

template <bool kFaulty>
__global__ void misaligned_vector(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (t >= kThreads / 4 - 1) return;
  const Vec<float, 4> four = load_vector<4>(in + 4 * t + (kFaulty ? 1 : 0));  // FAULT misaligned_vector
  store_vector(out + 4 * t, four);
}

template <bool kFaulty>
__global__ void use_after_free(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = in[t];  // FAULT use_after_free
}

template <bool kFaulty>
__global__ void pointer_of_the_host(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = in[t];  // FAULT pointer_of_the_host
}

__constant__ const float kTable[kThreads] = {1, 2, 3};

template <bool kFaulty>
__global__ void write_to_constants(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float* volatile to = kFaulty ? const_cast<float*>(kTable) : out;  // clang drops a store that it sees go to constants
  out[t] = kTable[t] + in[t];
  __syncthreads();
  to[t] = in[t];  // FAULT write_to_constants
}

// --- barriers

template <bool kFaulty>
__global__ void divergent_barrier(const float*, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (t < 16 && kFaulty) {
    out[t] = 1.0f;
    __syncthreads();
  } else {
    out[t] = 2.0f;
    __syncthreads();  // FAULT divergent_barrier
  }
}

template <bool kFaulty>
__global__ void barrier_after_exit(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (kFaulty && t >= 50) return;
  out[t] = in[t];
  __syncthreads();  // FAULT barrier_after_exit
  out[t] += 1.0f;
}

template <bool kFaulty>
__global__ void spinning(const float*, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  volatile float* flag = out + kThreads;
  if (t == 0) *flag = kFaulty ? 0.0f : 1.0f;
  __syncthreads();
  while (*flag == 0.0f) {  // FAULT spinning
  }
  out[t] = 1.0f;
}

// --- warps

template <bool kFaulty>
__global__ void lane_not_in_its_mask(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  const unsigned mask = kFaulty ? 0x7fffffffu : kWholeWarp;
  out[t] = __shfl_down_sync(mask, in[t], 1);  // FAULT lane_not_in_its_mask
}

template <bool kFaulty>
__global__ void value_of_a_lane_outside(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x), lane = t % 32;
  if (lane >= 8) return;
  out[t] = __shfl_sync(0xffu, in[t], kFaulty ? lane + 8 : 7 - lane);  // FAULT value_of_a_lane_outside
}

template <bool kFaulty>
__global__ void mask_with_ended_lanes(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (t % 32 >= 16) return;
  out[t] = __shfl_xor_sync(kFaulty ? kWholeWarp : 0xffffu, in[t], 1);  // FAULT mask_with_ended_lanes
}

template <bool kFaulty>
__global__ void half_a_warp_elsewhere(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float sum = in[t];
  if (kFaulty && t % 32 < 16) {
    sum += __shfl_xor_sync(kWholeWarp, sum, 1);  // FAULT half_a_warp_elsewhere
  } else {
    sum -= __shfl_xor_sync(kWholeWarp, sum, 1);
  }
  out[t] = sum;
}

template <bool kFaulty>
__global__ void warp_operation_and_barrier(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float v = in[t];
  if (kFaulty && t < 16) __syncthreads();
  v += __shfl_xor_sync(kWholeWarp, v, 1);  // FAULT warp_operation_and_barrier
  if (!kFaulty || t >= 16) __syncthreads();
  out[t] = v;
}

template <bool kFaulty>
__global__ void matrix_product_of_half_a_warp(const float*, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float d[4] = {};
  const std::uint32_t a[4] = {}, b[2] = {};
  if (kFaulty && t % 32 >= 16) return;
  mma_m16n8k16<__nv_bfloat16>(d, a, b);  // FAULT matrix_product_of_half_a_warp
  out[t] = d[0];
}

struct alignas(16) Matrix {
  __nv_bfloat16 v[32 * 8 + 8];
};

template <bool kFaulty>
__global__ void matrix_row_misaligned(const float* in, float* out) {
  Matrix& matrix = shared<Matrix>();
  const int t = static_cast<int>(threadIdx.x);
  for (int i = t; i < 32 * 8 + 8; i += kThreads) matrix.v[i] = __float2bfloat16_rn(in[i % kThreads]);
  __syncthreads();
  std::uint32_t to[4];
  ldmatrix_x4(to, matrix.v + t % 32 * 8 + (kFaulty ? 1 : 0));  // FAULT matrix_row_misaligned
  out[t] = static_cast<float>(to[0] + to[1] + to[2] + to[3]);
}

// --- asynchronous copies

template <bool kFaulty>
__global__ void async_read_before_wait(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  async_copy<4>(&row.v[t], in + t);
  async_commit();
  if constexpr (!kFaulty) async_wait<0>();
  out[t] = row.v[t];  // FAULT async_read_before_wait
  async_wait<0>();
}

template <bool kFaulty>
__global__ void async_wait_for_too_few(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  async_copy<4>(&row.v[t], in + t);
  async_commit();
  async_commit();  // an empty group: only the older one is full
  if constexpr (kFaulty) {
    async_wait<2>();
  } else {
    async_wait<1>();
  }
  out[t] = row.v[t];  // FAULT async_wait_for_too_few
  async_wait<0>();
}

template <bool kFaulty>
__global__ void async_without_barrier(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  row.v[t] = 0.0f;
  __syncthreads();
  async_copy<4>(&row.v[t], in + t);  // FAULT async_without_barrier
  async_commit();
  async_wait<0>();
  if constexpr (!kFaulty) __syncthreads();
  out[t] = row.v[kThreads - 1 - t];  // FAULT async_without_barrier
}

template <bool kFaulty>
__global__ void async_never_waited_for(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  async_copy<4>(&row.v[t], in + t);  // FAULT async_never_waited_for
  async_commit();
  if constexpr (!kFaulty) async_wait<0>();
  out[t] = 1.0f;
}

template <bool kFaulty>
__global__ void async_into_global(const float* in, float* out) {
  Row& row = shared<Row>();
  const int t = static_cast<int>(threadIdx.x);
  async_copy<4>(kFaulty ? &out[t] : &row.v[t], in + t);  // FAULT async_into_global
  async_commit();
  async_wait<0>();
}

// --- what a block may have

struct Huge {
  float v[13 * 1024];  // 52 KB
};

template <bool kFaulty>
__global__ void too_much_static_shared(const float* in, float* out) {
  const int t = static_cast<int>(threadIdx.x);
  float* v = kFaulty ? shared<Huge>().v : shared<Row>().v;  // FAULT too_much_static_shared
  v[t] = in[t];
  out[t] = v[t];
}

// --- how they are run

using KernelPointer = void (*)(const float*, float*);

enum class Input { kGood, kFreed, kHost };

/// Two blocks where `blocks` says so; out has room for four rows, of which the first two and the spare one are written.
Status run_on(KernelPointer kernel, int blocks, int out_rows, bool out_written, Input input,
              std::size_t dynamic_bytes) {
  std::vector<float> host(kThreads, 1.0f);
  auto* in = static_cast<float*>(emulator::allocate(sizeof(float) * kThreads, "in"));
  emulator::copy_to_device(in, host.data(), sizeof(float) * kThreads);
  const std::size_t out_bytes = sizeof(float) * kThreads * static_cast<std::size_t>(out_rows);
  auto* out = static_cast<float*>(emulator::allocate(out_bytes, "out"));
  if (out_written) emulator::fill(out, 0, out_bytes);
  if (input == Input::kFreed) emulator::free(in);
  const Status status = launch(
      kernel, {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = dynamic_bytes},
      input == Input::kHost ? host.data() : in, out);
  if (input != Input::kFreed) emulator::free(in);
  emulator::free(out);
  return status;
}

template <KernelPointer kFaulty, KernelPointer kClean, int kBlocks = 1, int kRows = 4, bool kWritten = true,
          Input kInput = Input::kGood, std::size_t kDynamic = 0>
Status run(Twin twin) {
  return twin == Twin::kFaulty ? run_on(kFaulty, kBlocks, kRows, kWritten, kInput, kDynamic)
                               : run_on(kClean, kBlocks, kRows, kWritten, Input::kGood, kDynamic);
}

#define PLANTED(name, kind, ...) \
  PlantedFault { #name, FaultKind::kind, run < name < kWrong>, name < !kWrong> __VA_OPT__(, ) __VA_ARGS__> }

constexpr PlantedFault kAll[] = {
    PLANTED(missing_barrier, kRace),
    PLANTED(tile_reused_too_early, kRace),
    PLANTED(warp_without_sync, kRace),
    PLANTED(warp_sync_of_too_few, kRace),
    PLANTED(shuffle_as_barrier, kRace),
    PLANTED(broadcast_then_write, kRace),
    PLANTED(lost_update, kRace),
    PLANTED(two_blocks_one_place, kRace, 2),
    PLANTED(block_reads_what_another_writes, kRace, 2),
    PLANTED(atomic_and_plain, kRace),
    PLANTED(neighbours_in_a_word, kRace),
    PLANTED(read_past_the_end, kOutOfBounds),
    PLANTED(write_before_the_begin, kOutOfBounds),
    PLANTED(shared_past_the_end, kOutOfBounds),
    PLANTED(dynamic_past_the_end, kOutOfBounds, 1, 4, true, Input::kGood, sizeof(float) * kThreads),
    PLANTED(register_past_the_end, kOutOfBounds),
    PLANTED(vector_past_the_end, kOutOfBounds),
    PLANTED(uninitialised_shared, kUninitialised),
    PLANTED(uninitialised_global, kUninitialised, 1, 4, false),
    PLANTED(misaligned_vector, kMisaligned),
    PLANTED(use_after_free, kUseAfterFree, 1, 4, true, Input::kFreed),
    PLANTED(pointer_of_the_host, kOutOfBounds, 1, 4, true, Input::kHost),
    PLANTED(write_to_constants, kWrongSpace),
    PLANTED(divergent_barrier, kDivergentBarrier),
    PLANTED(barrier_after_exit, kBarrierAfterExit),
    PLANTED(spinning, kDeadlock),
    PLANTED(lane_not_in_its_mask, kWarpMask),
    PLANTED(value_of_a_lane_outside, kWarpMask),
    PLANTED(mask_with_ended_lanes, kWarpMask),
    PLANTED(half_a_warp_elsewhere, kWarpDivergence),
    PLANTED(warp_operation_and_barrier, kWarpDivergence),
    PLANTED(matrix_product_of_half_a_warp, kWarpMask),
    PLANTED(matrix_row_misaligned, kMisaligned),
    PLANTED(async_read_before_wait, kEarlyAsyncRead),
    PLANTED(async_wait_for_too_few, kEarlyAsyncRead),
    PLANTED(async_without_barrier, kRace),
    PLANTED(async_never_waited_for, kUnfinishedAsync),
    PLANTED(async_into_global, kWrongSpace),
    PLANTED(too_much_static_shared, kBadLaunch),
};

}  // namespace

std::span<const PlantedFault> planted_faults() { return kAll; }

}  // namespace cudacards::testing
