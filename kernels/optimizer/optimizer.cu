// Parameters of all layers in one launch; the rules are in rule.cuh, the way through the segments in segments.cuh.
//
//   w, m, v, average (elements) fp32 in place; g (elements) fp32; copy (elements) bf16
//
//   block b: elements [4096 b, 4096 (b + 1));  thread t: quads t, t + 256, t + 512, t + 768 of them
//   16-byte loads of w, g, m, v  ->  four updates in registers  ->  16-byte stores of w, m, v (8 bytes of the copy)
//
// Adam moves 28 bytes an element (SGD 20; + 8 with the average, + 2 with the copy), each once: the floor. About 14
// operations an element, a division and a square root among them: memory is the limit by far.
//
// Each segment's scalars are computed where they are used: five operations a quad beside 112 bytes of traffic, and one
// product in double, whose two powers the host has already raised (OptimizerClock::correction).

#include <cstdint>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/optimizer/optimizer.h"
#include "kernels/optimizer/rule.cuh"
#include "kernels/optimizer/segments.cuh"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {
namespace {

using Quad = Vec<float, kQuadElements>;
static_assert(sizeof(__nv_bfloat16) == sizeof(Bf16), "the copy is stored as the one and read as the other");

__device__ __nv_bfloat16* bf16_at(Bf16* copy, std::int64_t element) {
  return reinterpret_cast<__nv_bfloat16*>(copy) + element;
}

template <class Rule>
__device__ __forceinline__ void update_quad(const OptimizerArgs& a, const Rule& rule, std::int64_t first) {
  Quad w = load_vector<kQuadElements>(a.parameters + first);
  const Quad g = load_vector<kQuadElements>(a.gradients + first);
  Quad m = load_vector<kQuadElements>(a.moment1 + first);
  Quad v = {};
  if constexpr (Rule::kMoments == 2) v = load_vector<kQuadElements>(a.moment2 + first);
  Quad average = {};
  if (a.average != nullptr) average = load_vector<kQuadElements>(a.average + first);
#pragma unroll
  for (int i = 0; i < kQuadElements; ++i) rule.update(w[i], g[i], m[i], v[i]);
  store_vector(a.parameters + first, w);
  store_vector(a.moment1 + first, m);
  if constexpr (Rule::kMoments == 2) store_vector(a.moment2 + first, v);
  if (a.average != nullptr) {
    // Read here and not with the rule: two registers less on the way.
    const float decay = a.clock->average_decay;
#pragma unroll
    for (int i = 0; i < kQuadElements; ++i) average[i] = moved_average(average[i], decay, w[i]);
    store_vector(a.average + first, average);
  }
  if (a.copy != nullptr) {
    Vec<__nv_bfloat16, kQuadElements> narrow;
#pragma unroll
    for (int i = 0; i < kQuadElements; ++i) narrow[i] = from_float<__nv_bfloat16>(w[i]);
    store_vector(bf16_at(a.copy, first), narrow);
  }
}

template <class Rule>
__device__ __forceinline__ void update_one(const OptimizerArgs& a, const Rule& rule, std::int64_t element) {
  float w = a.parameters[element], m = a.moment1[element], v = 0;
  if constexpr (Rule::kMoments == 2) v = a.moment2[element];
  rule.update(w, a.gradients[element], m, v);
  a.parameters[element] = w;
  a.moment1[element] = m;
  if constexpr (Rule::kMoments == 2) a.moment2[element] = v;
  if (a.average != nullptr) a.average[element] = moved_average(a.average[element], a.clock->average_decay, w);
  if (a.copy != nullptr) *bf16_at(a.copy, element) = from_float<__nv_bfloat16>(w);
}

template <class Rule>
__global__ void __launch_bounds__(kOptimizerThreads) update_kernel(OptimizerProblem p, OptimizerArgs a) {
  if (a.report != nullptr && a.report->not_finite != 0) {
    if (blockIdx.x == 0 && threadIdx.x == 0) ++a.report->skipped;
    return;
  }
  const OptimizerClock clock = *a.clock;
  const auto rule_of = [&](const OptimizerSegment& segment) {
    return Rule::of(p.options, clock, segment.decays, segment.rate_scale);
  };
  for_each_in_chunk(
      a.segments, p.segments,
      [&](std::int64_t first, int, const OptimizerSegment& segment) { update_quad(a, rule_of(segment), first); },
      [&](std::int64_t element, int, const OptimizerSegment& segment) { update_one(a, rule_of(segment), element); });
}

/// The caller's count of skipped updates stays, and once there is one everything does.
__global__ void clear_report_kernel(GradientReport* report) {
  if (report->skipped != 0) return;
  report->not_finite = 0;
  report->first_segment = GradientReport::kNoSegment;
}

/// An exponent of all ones: infinite or NaN.
__device__ __forceinline__ bool is_finite(float x) { return (__float_as_uint(x) & 0x7f800000u) != 0x7f800000u; }

/// Reads 4 bytes an element. Sums and minima of integers: the report is the same in every order.
__global__ void __launch_bounds__(kOptimizerThreads) check_gradients_kernel(OptimizerProblem p, OptimizerArgs a) {
  std::uint32_t found = 0;
  int first_segment = GradientReport::kNoSegment;
  const auto look_at = [&](float gradient, int segment) {
    if (is_finite(gradient)) return;
    ++found;
    first_segment = min(first_segment, segment);
  };
  for_each_in_chunk(
      a.segments, p.segments,
      [&](std::int64_t first, int index, const OptimizerSegment&) {
        const Quad g = load_vector<kQuadElements>(a.gradients + first);
#pragma unroll
        for (int i = 0; i < kQuadElements; ++i) look_at(g[i], index);
      },
      [&](std::int64_t element, int index, const OptimizerSegment&) { look_at(a.gradients[element], index); });

  found = __reduce_add_sync(kWholeWarp, found);
  first_segment = __reduce_min_sync(kWholeWarp, first_segment);
  if (found == 0 || lane_index() != 0) return;
  atomicAdd(&a.report->not_finite, found);
  atomicMin(&a.report->first_segment, first_segment);
}

LaunchConfig grid_of(const OptimizerProblem& p, Stream stream) {
  const std::int64_t chunks = (p.elements + kChunkElements - 1) / kChunkElements;
  return {.grid = dim3(static_cast<unsigned>(chunks)),
          .block = dim3(kOptimizerThreads),
          .shared_bytes = 0,
          .stream = stream};
}

bool has_no_work(const OptimizerProblem& p) { return p.elements == 0 || p.segments == 0; }

}  // namespace

Verdict optimizer_supports(const OptimizerProblem& problem) {
  if (problem.elements < 0 || problem.segments < 0) return Verdict::no("negative sizes");
  if (problem.elements > kChunkElements * std::numeric_limits<int>::max())
    return Verdict::no("more than 2^31 - 1 blocks of " + std::to_string(kChunkElements) + " parameters");
  return Verdict::yes();
}

Status optimizer_update(const OptimizerProblem& problem, const OptimizerArgs& args, Stream stream) {
  if (const Verdict verdict = optimizer_supports(problem); !verdict)
    return Status::failed("optimizer: " + verdict.reason());
  if (has_no_work(problem)) return Status::ok();
  const bool is_sgd = problem.options.kind == OptimizerKind::kSgd;
  if (Status status = check_arrays(
          "optimizer",
          {{"segments", args.segments, alignof(OptimizerSegment)},
           {"clock", args.clock, alignof(OptimizerClock)},
           {"parameters", args.parameters},
           {"gradients", args.gradients},
           {"moment1", args.moment1},
           {"moment2", is_sgd ? args.moment1 : args.moment2}},
          {{"average", args.average}, {"copy", args.copy}, {"report", args.report, alignof(GradientReport)}});
      !status)
    return status;
  return is_sgd ? launch(update_kernel<SgdRule>, grid_of(problem, stream), problem, args)
                : launch(update_kernel<AdamRule>, grid_of(problem, stream), problem, args);
}

Status check_gradients(const OptimizerProblem& problem, const OptimizerArgs& args, Stream stream) {
  if (const Verdict verdict = optimizer_supports(problem); !verdict)
    return Status::failed("gradient check: " + verdict.reason());
  if (Status status = check_arrays("gradient check", {{"report", args.report, alignof(GradientReport)}}); !status)
    return status;
  const LaunchConfig one_thread = {.grid = dim3(1), .block = dim3(1), .shared_bytes = 0, .stream = stream};
  if (Status cleared = launch(clear_report_kernel, one_thread, args.report); !cleared) return cleared;
  if (has_no_work(problem)) return Status::ok();
  if (Status status = check_arrays(
          "gradient check", {{"segments", args.segments, alignof(OptimizerSegment)}, {"gradients", args.gradients}});
      !status)
    return status;
  return launch(check_gradients_kernel, grid_of(problem, stream), problem, args);
}

}  // namespace cudacards
