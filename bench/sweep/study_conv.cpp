// Convolutions: tiles of the forward pass and of backward data, slices of the weights' gradient, splits of the fused
// convolution's.

#include "bench/sweep/study_builder.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/halo.h"
#include "kernels/conv_pool/conv_pool.h"

namespace cudacards::sweep {
namespace {

constexpr int kChannelsOfACopy = 8;  // where they don't divide the channels there is one tile only
constexpr int kNever = 1 << 30;

std::string name_of_tile(Conv2dTile tile) {
  const Conv2dTileExtent extent = extent_of(tile);
  return fmt::format("{}x{}", extent.rows, extent.columns);
}

std::vector<Conv2dTileTuning> tile_candidates(const Facts& facts) {
  std::vector<Conv2dTileTuning> rows;
  for (const int columns : {65, 96, 129, kNever}) {
    for (const int eighths : {4, 8, 16, 32}) {
      for (const int narrow : {0, 32, 64}) {
        rows.push_back({.arch = facts.arch,
                        .wide_from_columns = columns,
                        .wide_from_tiles = eighths * facts.multiprocessors / 8,
                        .narrow_to_columns = narrow,
                        .evidence = ""});
      }
    }
  }
  return rows;
}
std::string tile_numbers(const Conv2dTileTuning& row) {
  return fmt::format(".wide_from_columns = {}, .wide_from_tiles = {}, .narrow_to_columns = {}", row.wide_from_columns,
                     row.wide_from_tiles, row.narrow_to_columns);
}

Experiment forward_experiment(const Conv2dProblem& p) {
  return {.name = "forward " + describe(p) + " bf16",
          .terms = std::int64_t{p.r} * p.s * p.c,
          .arrays = {input("src", p.src_elements(), DType::kBf16), input("weights", p.weight_elements(), DType::kBf16),
                     output("dst", p.dst_elements(), DType::kBf16)},
          .choices = {},
          .choice_of_row = {}};
}
Choice forward_choice(const Conv2dProblem& p, const Conv2dChoice& choice, std::string name, Agreement agreement) {
  return {.name = std::move(name),
          .launch =
              [p, choice](const Pointers& a, Stream stream) {
                return conv2d_forward(p, DType::kBf16, {.src = a[0], .weights = a[1], .dst = a[2]}, stream, choice);
              },
          .agreement = agreement};
}

Experiment backward_data_experiment(const Conv2dProblem& p) {
  return {
      .name = "backward data " + describe(p) + " bf16",
      .terms = std::int64_t{p.r} * p.s * p.k,
      .arrays = {input("diff_dst", p.dst_elements(), DType::kBf16), input("weights", p.weight_elements(), DType::kBf16),
                 output("diff_src", p.src_elements(), DType::kBf16)},
      .choices = {},
      .choice_of_row = {}};
}
Choice backward_data_choice(const Conv2dProblem& p, const Conv2dChoice& choice, std::string name, Agreement agreement) {
  return {.name = std::move(name),
          .launch =
              [p, choice](const Pointers& a, Stream stream) {
                return conv2d_backward_data(p, DType::kBf16, {.diff_dst = a[0], .weights = a[1], .diff_src = a[2]},
                                            stream, choice);
              },
          .agreement = agreement};
}

}  // namespace

Study conv2d_tiles(const std::vector<Conv2dProblem>& problems, const Facts& facts) {
  Study study = {.table = "kConv2dTileTuning", .header = "kernels/conv2d/tuning.h", .rows = {}, .experiments = {}};
  const auto rows =
      with_candidates(study, row_for(kConv2dTileTuning, facts.arch), tile_candidates(facts), tile_numbers);
  constexpr Conv2dChoice kGather = {.path = Conv2dPath::kTensor}, kHalo = {.path = Conv2dPath::kHalo};
  const auto with_tile = [&](Conv2dTile tile) {
    Conv2dChoice choice = kGather;
    choice.tile = tile;
    return choice;
  };
  // What the tiles compete with is timed along, and no row speaks for it.
  const auto and_the_halo = [&](const Conv2dProblem& p, bool supported, auto choice_of) {
    if (!supported || study.experiments.empty()) return;
    study.experiments.back().choices.push_back(choice_of(p, kHalo, "halo", Agreement::kSameSums));
  };
  for (const Conv2dProblem& p : problems) {
    if (p.c % kChannelsOfACopy != 0 || !conv2d_forward_supports(p, DType::kBf16, kGather)) continue;
    const std::size_t before = study.experiments.size();
    add_experiment(study, forward_experiment(p), rows, [&](const Conv2dTileTuning& row) {
      const Conv2dTile tile = conv2d_tile_by(row, std::int64_t{p.n} * p.p() * p.q(), p.k);
      return forward_choice(p, with_tile(tile), name_of_tile(tile), Agreement::kSameBytes);
    });
    if (study.experiments.size() > before)
      and_the_halo(p, static_cast<bool>(conv2d_forward_supports(p, DType::kBf16, kHalo)), forward_choice);
  }
  for (const Conv2dProblem& p : problems) {
    if (p.c % kChannelsOfACopy != 0 || p.k % kChannelsOfACopy != 0) continue;
    if (!conv2d_backward_data_supports(p, DType::kBf16, kGather)) continue;
    const std::size_t before = study.experiments.size();
    add_experiment(study, backward_data_experiment(p), rows, [&](const Conv2dTileTuning& row) {
      const Conv2dTile tile = conv2d_tile_by(row, std::int64_t{p.n} * p.h * p.w, p.c);
      return backward_data_choice(p, with_tile(tile), name_of_tile(tile), Agreement::kSameBytes);
    });
    if (study.experiments.size() > before)
      and_the_halo(p, static_cast<bool>(conv2d_backward_data_supports(p, DType::kBf16, kHalo)), backward_data_choice);
  }
  return study;
}

Study conv2d_slice_lengths(const std::vector<Conv2dProblem>& problems, const Facts& facts) {
  Study study = {.table = "kConv2dSliceTuning",
                 .header = "kernels/conv2d/tuning.h",
                 .scope = Scope::kAllMachines,
                 .rows = {},
                 .experiments = {}};
  std::vector<Conv2dSliceTuning> candidates;
  for (const int times : {1, 2, 4, 8}) {
    for (const int pixels : {128, 256, 512, 1024})
      candidates.push_back({.slice_blocks = times * facts.multiprocessors, .slice_pixels = pixels, .evidence = ""});
  }
  const auto rows = with_candidates(study, kConv2dSliceTuning, candidates, [](const Conv2dSliceTuning& row) {
    return fmt::format(".slice_blocks = {}, .slice_pixels = {}", row.slice_blocks, row.slice_pixels);
  });
  for (const Conv2dProblem& p : problems) {
    if (!conv2d_backward_weights_supports(p, DType::kBf16)) continue;
    const std::int64_t pixels = std::int64_t{p.n} * p.p() * p.q();
    const int depth = p.r * p.s * p.c;
    const bool chunks = p.c % kChannelsOfACopy == 0 && p.k % kChannelsOfACopy == 0;
    const Conv2dTile tile = chunks ? conv2d_weights_tile(p.k, depth, Conv2dTile::kBest) : Conv2dTile::k128x64;
    const Conv2dTileExtent extent = extent_of(tile);
    const std::int64_t tiles =
        std::int64_t{(p.k + extent.rows - 1) / extent.rows} * ((depth + extent.columns - 1) / extent.columns);
    const auto choice_of = [&](const Conv2dSliceTuning& row) {
      return Conv2dChoice{.path = Conv2dPath::kTensor, .slices = conv2d_slices_by(row, pixels, tiles)};
    };
    add_experiment(
        study,
        {.name = "backward weights " + describe(p) + " bf16",
         .terms = pixels,
         .arrays = {input("src", p.src_elements(), DType::kBf16), input("diff_dst", p.dst_elements(), DType::kBf16),
                    output("diff_weights", p.weight_elements(), DType::kF32), output("diff_bias", p.k, DType::kF32),
                    scratch_for(rows,
                                [&](const Conv2dSliceTuning& row) {
                                  return conv2d_backward_weights_workspace(p, DType::kBf16, choice_of(row));
                                })},
         .choices = {},
         .choice_of_row = {}},
        rows, [&](const Conv2dSliceTuning& row) {
          const Conv2dChoice choice = choice_of(row);
          return Choice{.name = fmt::format("{} slices", choice.slices),
                        .launch =
                            [p, choice](const Pointers& a, Stream stream) {
                              return conv2d_backward_weights(p, DType::kBf16,
                                                             {.src = a[0],
                                                              .diff_dst = a[1],
                                                              .diff_weights = static_cast<float*>(a[2]),
                                                              .diff_bias = static_cast<float*>(a[3]),
                                                              .workspace = a[4]},
                                                             stream, choice);
                            },
                        .agreement = Agreement::kSameSums};
        });
  }
  return study;
}

Study conv_pool_splits(const std::vector<ConvPoolProblem>& problems, const Facts& facts) {
  Study study = {.table = "kConvPoolTuning",
                 .header = "kernels/conv_pool/tuning.h",
                 .scope = Scope::kAllMachines,
                 .rows = {},
                 .experiments = {}};
  std::vector<ConvPoolTuning> candidates;
  for (const int times : {1, 2, 4, 8}) {
    for (const int narrow : {2, 5, 10})
      candidates.push_back({.weights_blocks = times * facts.multiprocessors,
                            .narrow_weights_blocks = narrow * facts.multiprocessors,
                            .evidence = ""});
  }
  const auto rows = with_candidates(study, kConvPoolTuning, candidates, [](const ConvPoolTuning& row) {
    return fmt::format(".weights_blocks = {}, .narrow_weights_blocks = {}", row.weights_blocks,
                       row.narrow_weights_blocks);
  });
  for (const ConvPoolProblem& p : problems) {
    if (!conv_pool_backward_weights_supports(p, DType::kBf16)) continue;
    const auto split = [&](const ConvPoolTuning& row) {
      ConvPoolProblem problem = p;
      problem.weight_splits = conv_pool_weight_splits(p, DType::kBf16, row);
      return problem;
    };
    add_experiment(
        study,
        {.name = "backward weights " + describe(p.conv) + " + pool bf16",
         .terms = p.pooled_pixels(),
         .arrays = {input("src", p.conv.src_elements(), DType::kBf16),
                    input("diff_dst", p.dst_elements(), DType::kBf16), input("dst", p.dst_elements(), DType::kBf16),
                    input("argmax", 4 * p.argmax_words(), DType::kU8),
                    output("diff_weights", p.conv.weight_elements(), DType::kF32),
                    output("diff_bias", p.conv.k, DType::kF32),
                    scratch_for(rows,
                                [&](const ConvPoolTuning& row) {
                                  return conv_pool_workspace_bytes(split(row), DType::kBf16);
                                })},
         .choices = {},
         .choice_of_row = {}},
        rows, [&](const ConvPoolTuning& row) {
          const ConvPoolProblem problem = split(row);
          return Choice{.name = fmt::format("{} splits", problem.weight_splits),
                        .launch =
                            [problem](const Pointers& a, Stream stream) {
                              return conv_pool_backward_weights(problem, DType::kBf16,
                                                                {.src = a[0],
                                                                 .diff_dst = a[1],
                                                                 .dst = a[2],
                                                                 .argmax = static_cast<std::uint32_t*>(a[3]),
                                                                 .diff_weights = static_cast<float*>(a[4]),
                                                                 .diff_bias = static_cast<float*>(a[5]),
                                                                 .workspace = static_cast<float*>(a[6])},
                                                                stream);
                            },
                        .agreement = Agreement::kSameSums};
        });
  }
  return study;
}

}  // namespace cudacards::sweep
