// Dense layers and 1 x 1 convolutions: the tile, and into how many slices the sum is split.

#include "bench/sweep/study_builder.h"
#include "kernels/dense/dense.h"

namespace cudacards::sweep {
namespace {

enum class Direction : std::uint8_t { kForward, kDgrad, kWgrad };

const char* name_of(Direction direction) {
  return direction == Direction::kForward ? "forward" : direction == Direction::kDgrad ? "dgrad" : "wgrad";
}
MatmulSize size_of(const DenseProblem& p, Direction direction) {
  return direction == Direction::kForward ? dense_forward_size(p)
         : direction == Direction::kDgrad ? dense_dgrad_size(p)
                                          : dense_wgrad_size(p);
}
std::size_t workspace_of(const DenseProblem& p, Direction direction) {
  return direction == Direction::kForward ? dense_forward_workspace_bytes(p)
         : direction == Direction::kDgrad ? 0
                                          : dense_wgrad_workspace_bytes(p);
}
MatmulPlan plan_of(const MatmulTuning& row, const DenseProblem& p, Direction direction) {
  return plan_matmul(size_of(p, direction), row, direction == Direction::kDgrad ? SplitK::kNo : SplitK::kYes);
}

std::vector<Array> arrays_of(const DenseProblem& p, Direction direction, DType type) {
  const Array src = input("src", p.src_elements(), type), weights = input("weights", p.weight_elements(), type);
  const Array diff_dst = input("diff_dst", p.dst_elements(), type), dst = input("dst", p.dst_elements(), type);
  switch (direction) {
    case Direction::kForward:
      return {src, weights, output("dst", p.dst_elements(), type)};
    case Direction::kDgrad:
      return {diff_dst, dst, weights, output("diff_src", p.src_elements(), type)};
    case Direction::kWgrad:
      return {src, diff_dst, dst, output("diff_weights", p.weight_elements(), DType::kF32),
              output("diff_bias", p.units, DType::kF32)};
  }
  return {};
}

/// The workspace is the last of the arrays.
Status start(const DenseProblem& p, Direction direction, DType type, const Pointers& a, Stream stream) {
  switch (direction) {
    case Direction::kForward:
      return dense_forward(p, type, type, {.src = a[0], .weights = a[1], .dst = a[2], .workspace = a[3]}, stream);
    case Direction::kDgrad:
      return dense_dgrad(p, type, {.diff_dst = a[0], .dst = a[1], .weights = a[2], .diff_src = a[3]}, stream);
    case Direction::kWgrad:
      return dense_wgrad(p, type,
                         {.src = a[0],
                          .diff_dst = a[1],
                          .dst = a[2],
                          .diff_weights = static_cast<float*>(a[3]),
                          .diff_bias = static_cast<float*>(a[4]),
                          .workspace = a[5]},
                         stream);
  }
  return Status::failed("no such direction");
}

void add_problem(Study& study, const DenseProblem& p, Direction direction, DType type,
                 const std::vector<MatmulTuning>& rows) {
  const auto planned = [&](const MatmulTuning& row) {
    DenseProblem problem = p;
    problem.plan = plan_of(row, p, direction);
    return problem;
  };
  Experiment experiment = {.name = fmt::format("{} {} {}", name_of(direction), describe(p), cudacards::name_of(type)),
                           .terms = size_of(p, direction).k,
                           .arrays = arrays_of(p, direction, type),
                           .choices = {},
                           .choice_of_row = {}};
  experiment.arrays.push_back(
      scratch_for(rows, [&](const MatmulTuning& row) { return workspace_of(planned(row), direction); }));
  add_experiment(study, std::move(experiment), rows, [&](const MatmulTuning& row) {
    const DenseProblem problem = planned(row);
    const TileExtent tile = extent_of(problem.plan->shape);
    const int slices = slices_of(size_of(p, direction).k, problem.plan->slices).count;
    return Choice{
        .name = fmt::format("{}x{} in {}", tile.m, tile.n, slices),
        .launch = [problem, direction, type](const Pointers& a,
                                             Stream stream) { return start(problem, direction, type, a, stream); },
        .agreement = Agreement::kSameSums};
  });
}

}  // namespace

Study matmul_plans(const std::vector<DenseProblem>& problems, const Facts& facts) {
  Study study = {.table = "kMatmulTuning", .header = "kernels/matmul/tuning.h", .rows = {}, .experiments = {}};
  std::vector<MatmulTuning> candidates;
  for (const int halves : {1, 2, 4, 8}) {
    for (const int slice : {128, 256, 512, 1024})
      candidates.push_back({.arch = facts.arch,
                            .blocks_wanted = halves * facts.multiprocessors / 2,
                            .least_slice = slice,
                            .evidence = ""});
  }
  const auto rows = with_candidates(study, matmul_tuning(facts.arch), candidates, [](const MatmulTuning& row) {
    return fmt::format(".blocks_wanted = {}, .least_slice = {}", row.blocks_wanted, row.least_slice);
  });
  for (const DenseProblem& p : problems) {
    for (const DType type : {DType::kBf16, DType::kF32}) {
      if (!dense_supports(p, type)) continue;
      for (const Direction direction : {Direction::kForward, Direction::kDgrad, Direction::kWgrad})
        add_problem(study, p, direction, type, rows);
    }
  }
  return study;
}

}  // namespace cudacards::sweep
