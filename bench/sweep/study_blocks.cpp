// Kernels whose blocks go round: how many blocks there should be at most.

#include "bench/sweep/study_builder.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pool/pool.h"

namespace cudacards::sweep {
namespace {

unsigned blocks_of(const Facts& facts, int times) { return static_cast<unsigned>(times * facts.multiprocessors); }
std::string name_of_blocks(unsigned blocks) { return fmt::format("{} blocks", blocks); }
constexpr unsigned kMostBlocks = 65536;
constexpr std::int64_t kThreads = 256, kPack = 8;  // of a block that goes round; bf16 in 16 bytes

/// What a kernel is started with: rows that allow more blocks than there is work for come to the same.
std::string name_of_round(unsigned most_blocks, std::int64_t items) {
  return name_of_blocks(static_cast<unsigned>(std::min<std::int64_t>(most_blocks, (items + kThreads - 1) / kThreads)));
}

/// Rows that are nothing but a number of blocks.
template <class Row>
std::vector<Row> rows_of_blocks(Study& study, const Row& in_force, const Facts& facts) {
  std::vector<Row> candidates;
  for (const int times : {8, 16, 32, 64, 128})
    candidates.push_back({.arch = facts.arch, .most_blocks = blocks_of(facts, times)});
  candidates.push_back({.arch = facts.arch, .most_blocks = kMostBlocks});
  return with_candidates(study, in_force, candidates,
                         [](const Row& row) { return fmt::format(".most_blocks = {}", row.most_blocks); });
}

}  // namespace

Study depthwise_blocks(const std::vector<Conv2dProblem>& problems, const Facts& facts) {
  Study study = {.table = "kDepthwiseTuning", .header = "kernels/depthwise/tuning.h", .rows = {}, .experiments = {}};
  std::vector<DepthwiseTuning> candidates;
  for (const int forward : {2, 4, 8, 16, 32}) {
    for (const int weights : {1, 2, 4, 8})
      candidates.push_back({.arch = facts.arch,
                            .forward_blocks = blocks_of(facts, forward),
                            .backward_weights_blocks = blocks_of(facts, weights)});
  }
  const auto rows = with_candidates(study, depthwise_tuning(facts.arch), candidates, [](const DepthwiseTuning& row) {
    return fmt::format(".forward_blocks = {}, .backward_weights_blocks = {}", row.forward_blocks,
                       row.backward_weights_blocks);
  });
  constexpr DType kType = DType::kBf16;
  for (const Conv2dProblem& p : problems) {
    if (!depthwise_supports(p, kType)) continue;
    const Array src = input("src", p.src_elements(), kType), diff_dst = input("diff_dst", p.dst_elements(), kType),
                weights = input("weights", p.weight_elements(), DType::kF32);
    add_experiment(study,
                   {.name = "forward " + describe(p) + " bf16",
                    .terms = std::int64_t{p.r} * p.s,
                    .arrays = {src, weights, output("dst", p.dst_elements(), kType)},
                    .choices = {},
                    .choice_of_row = {}},
                   rows, [&](const DepthwiseTuning& row) {
                     return Choice{.name = name_of_blocks(row.forward_blocks),
                                   .launch = [p, row](const Pointers& a, Stream stream) {
                                     return depthwise_forward(
                                         p, kType, {.src = a[0], .weights = static_cast<float*>(a[1]), .dst = a[2]},
                                         stream, row);
                                   }};
                   });
    add_experiment(
        study,
        {.name = "backward data " + describe(p) + " bf16",
         .terms = std::int64_t{p.r} * p.s,
         .arrays = {diff_dst, weights, output("diff_src", p.src_elements(), kType)},
         .choices = {},
         .choice_of_row = {}},
        rows, [&](const DepthwiseTuning& row) {
          return Choice{
              .name = name_of_blocks(row.forward_blocks), .launch = [p, row](const Pointers& a, Stream stream) {
                return depthwise_backward_data(
                    p, kType, {.diff_dst = a[0], .weights = static_cast<float*>(a[1]), .diff_src = a[2]}, stream, row);
              }};
        });
    add_experiment(study,
                   {.name = "backward weights " + describe(p) + " bf16",
                    .terms = std::int64_t{p.n} * p.p() * p.q(),
                    .arrays = {src, diff_dst, output("diff_weights", p.weight_elements(), DType::kF32),
                               output("diff_bias", p.c, DType::kF32),
                               scratch_for(rows,
                                           [&](const DepthwiseTuning& row) {
                                             return depthwise_backward_weights_workspace(p, kType, row);
                                           })},
                    .choices = {},
                    .choice_of_row = {}},
                   rows, [&](const DepthwiseTuning& row) {
                     return Choice{.name = name_of_blocks(row.backward_weights_blocks),
                                   .launch =
                                       [p, row](const Pointers& a, Stream stream) {
                                         return depthwise_backward_weights(p, kType,
                                                                           {.src = a[0],
                                                                            .diff_dst = a[1],
                                                                            .diff_weights = static_cast<float*>(a[2]),
                                                                            .diff_bias = static_cast<float*>(a[3]),
                                                                            .workspace = static_cast<float*>(a[4])},
                                                                           stream, row);
                                       },
                                   .agreement = Agreement::kSameSums};
                   });
  }
  return study;
}

Study pool_blocks(const std::vector<Pool2dProblem>& problems, const Facts& facts) {
  Study study = {.table = "kPoolTuning", .header = "kernels/pool/tuning.h", .rows = {}, .experiments = {}};
  const auto rows = rows_of_blocks(study, pool_tuning(facts.arch), facts);
  constexpr DType kType = DType::kBf16;
  for (const Pool2dProblem& p : problems) {
    if (!max_pool_supports(p, kType)) continue;
    const std::int64_t width = p.c % kPack == 0 ? kPack : 1;
    add_experiment(study,
                   {.name = "max pool " + describe(p) + " bf16",
                    .arrays = {input("src", p.src_elements(), kType), output("dst", p.dst_elements(), kType),
                               output("argmax", p.dst_elements(), DType::kU8)},
                    .choices = {},
                    .choice_of_row = {}},
                   rows, [&](const PoolTuning& row) {
                     return Choice{.name = name_of_round(row.most_blocks, p.dst_elements() / width),
                                   .launch = [p, row](const Pointers& a, Stream stream) {
                                     return max_pool_forward(p, kType, {.src = a[0], .dst = a[1], .argmax = a[2]},
                                                             stream, row);
                                   }};
                   });
    Array argmax = input("argmax", p.dst_elements(), DType::kU8);
    argmax.below = p.window_h * p.window_w;
    add_experiment(
        study,
        {.name = "max pool backward " + describe(p) + " bf16",
         .arrays = {input("diff_dst", p.dst_elements(), kType), argmax, output("diff_src", p.src_elements(), kType)},
         .choices = {},
         .choice_of_row = {}},
        rows, [&](const PoolTuning& row) {
          return Choice{.name = name_of_round(row.most_blocks, p.src_elements() / width),
                        .launch = [p, row](const Pointers& a, Stream stream) {
                          return max_pool_backward(p, kType, {.diff_dst = a[0], .argmax = a[1], .diff_src = a[2]},
                                                   stream, row);
                        }};
        });
  }
  return study;
}

Study elementwise_blocks(const std::vector<std::int64_t>& elements, const Facts& facts) {
  Study study = {
      .table = "kElementwiseTuning", .header = "kernels/elementwise/tuning.h", .rows = {}, .experiments = {}};
  const auto rows = rows_of_blocks(study, elementwise_tuning(facts.arch), facts);
  constexpr DType kType = DType::kBf16;
  for (const std::int64_t count : elements) {
    if (!elementwise_supports(count, kType)) continue;
    add_experiment(study,
                   {.name = fmt::format("add {} bf16", count),
                    .arrays = {input("a", count, kType), input("b", count, kType), output("dst", count, kType)},
                    .choices = {},
                    .choice_of_row = {}},
                   rows, [&](const ElementwiseTuning& row) {
                     return Choice{.name = name_of_round(row.most_blocks, (count + kPack - 1) / kPack),
                                   .launch = [count, row](const Pointers& a, Stream stream) {
                                     return add({.elements = count}, kType, {.a = a[0], .b = a[1], .dst = a[2]}, stream,
                                                row);
                                   }};
                   });
  }
  return study;
}

std::vector<Study> studies_of(const Problems& problems, const Facts& facts) {
  std::vector<Study> studies;
  studies.push_back(conv2d_tiles(problems.conv2d, facts));
  studies.push_back(conv2d_slice_lengths(problems.conv2d, facts));
  studies.push_back(conv_pool_splits(problems.conv_pool, facts));
  studies.push_back(matmul_plans(problems.dense, facts));
  studies.push_back(depthwise_blocks(problems.depthwise, facts));
  studies.push_back(pool_blocks(problems.max_pool, facts));
  studies.push_back(elementwise_blocks(problems.elements, facts));
  return studies;
}

}  // namespace cudacards::sweep
