// Problems know their sizes, their work and the least that must move: against numbers from a pencil. Benchmarks divide
// by them, so a wrong one would be a wrong claim.

#include <gtest/gtest.h>

#include "kernels/augment/problem.h"
#include "kernels/cast/problem.h"
#include "kernels/conv2d/problem.h"
#include "kernels/conv_pool/problem.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/problem.h"
#include "kernels/optimizer/problem.h"
#include "kernels/pool/problem.h"

namespace cudacards::testing {
namespace {

constexpr DType kF32 = DType::kF32, kBf16 = DType::kBf16;

TEST(ProblemSizes, OfAConvolution) {
  const Conv2dProblem p = {.n = 2,
                           .h = 10,
                           .w = 9,
                           .c = 6,
                           .k = 4,
                           .r = 3,
                           .s = 2,
                           .stride_h = 2,
                           .stride_w = 1,
                           .pad = {1, 0, 2, 3},
                           .groups = 2};
  EXPECT_EQ(p.p(), 6);   // (10 + 3 - 3) / 2 + 1
  EXPECT_EQ(p.q(), 11);  // 9 + 3 - 2 + 1
  EXPECT_EQ(p.c_per_group(), 3);
  EXPECT_EQ(p.k_per_group(), 2);
  EXPECT_EQ(p.src_elements(), 1080);
  EXPECT_EQ(p.dst_elements(), 528);
  EXPECT_EQ(p.weight_elements(), 72);
  EXPECT_EQ(p.flops(), 2 * 528 * 18);
  EXPECT_EQ(p.bytes(kF32), 4 * (1080 + 528 + 72));
  EXPECT_EQ(p.bytes(kBf16), 2 * (1080 + 528 + 72));
  // The CNN's second convolution, 224 x 224, batch 256: beyond 32 bits.
  const Conv2dProblem large = {.n = 256, .h = 112, .w = 112, .c = 32, .k = 64, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  EXPECT_EQ(large.flops(), 118380036096);
}

TEST(ProblemSizes, OfAConvolutionWithItsPool) {
  ConvPoolProblem p = conv_pool_problem(2, 7, 9, 5, 17);
  EXPECT_EQ(p.pooled_h(), 3);
  EXPECT_EQ(p.pooled_w(), 4);
  EXPECT_EQ(p.pooled_pixels(), 24);
  EXPECT_EQ(p.dst_elements(), 408);
  EXPECT_EQ(p.argmax_words_per_pixel(), 2);
  EXPECT_EQ(conv_pool_problem(1, 2, 2, 1, 16).argmax_words_per_pixel(), 1);
  EXPECT_EQ(p.argmax_words(), 48);
  EXPECT_EQ(p.flops(), 2 * (2 * 6 * 8) * 17 * 9 * 5);  // the odd row and column are not pooled
  EXPECT_EQ(p.bytes(kBf16), 2 * (630 + 408 + 765) + 4 * 48);
  p.source = ConvPoolSource::kU8;
  EXPECT_EQ(p.source_type(kBf16), DType::kU8);
  EXPECT_EQ(p.bytes(kBf16), 630 + 2 * (408 + 765) + 4 * 48);
}

TEST(ProblemSizes, OfPools) {
  const Pool2dProblem p = {.n = 2, .h = 9, .w = 12, .c = 5, .window_h = 3, .window_w = 2, .stride_h = 2, .stride_w = 3};
  EXPECT_EQ(p.p(), 4);
  EXPECT_EQ(p.q(), 4);
  EXPECT_EQ(p.src_elements(), 1080);
  EXPECT_EQ(p.dst_elements(), 160);
  EXPECT_EQ(p.flops(), 160 * 5);
  EXPECT_EQ(p.bytes(kBf16), 2 * (1080 + 160));
  const GlobalPoolProblem all = {.n = 3, .pixels = 49, .c = 7};
  EXPECT_EQ(all.src_elements(), 1029);
  EXPECT_EQ(all.dst_elements(), 21);
  EXPECT_EQ(all.flops(), 1029);
  EXPECT_EQ(all.bytes(kF32), 4 * (1029 + 21));
}

TEST(ProblemSizes, OfPictures) {
  const PictureBatchProblem p = {.n = 3, .h = 5, .w = 7};
  EXPECT_EQ(p.picture_pixels(), 35);
  EXPECT_EQ(p.picture_values(), 105);
  EXPECT_EQ(p.dst_elements(), 315);
  EXPECT_EQ(p.blurred_bytes(), 315);
  EXPECT_EQ(p.flops(), 630);
  EXPECT_EQ(p.bytes(kF32), 315 * 5);
}

TEST(ProblemSizes, OfWhatLooksAtOneElementAtATime) {
  EXPECT_EQ((ActivationProblem{.elements = 10}.bytes(kBf16)), 40);
  EXPECT_EQ((AddProblem{.elements = 10}.bytes(kF32)), 120);
  EXPECT_EQ((AddProblem{.elements = 10}.flops()), 10);
  EXPECT_EQ((DropoutProblem{.elements = 10}.bytes(kBf16)), 40);
  EXPECT_EQ((FillProblem{.elements = 10}.bytes(kF32)), 40);
  EXPECT_EQ((FillProblem{.elements = 10}.flops()), 0);
  EXPECT_EQ((CastProblem{.elements = 10, .from = kF32, .to = kBf16}.bytes()), 60);
  EXPECT_EQ((CastProblem{.elements = 10}.flops()), 0);
}

TEST(ProblemSizes, AreNothingWhereNothingIsSaid) {
  EXPECT_EQ(ActivationProblem{}.elements, 0);
  EXPECT_EQ(AddProblem{}.elements, 0);
  EXPECT_EQ(DropoutProblem{}.elements, 0);
  EXPECT_EQ(FillProblem{}.elements, 0);
  EXPECT_EQ(CastProblem{}.elements, 0);
  EXPECT_EQ(OptimizerProblem{}.elements, 0);
  EXPECT_EQ(OptimizerProblem{}.segments, 0);
}

TEST(ProblemSizes, OfAnUpdate) {
  const OptimizerProblem sgd = {.options = {.kind = OptimizerKind::kSgd}, .elements = 10},
                         adam = {.options = {.kind = OptimizerKind::kAdam}, .elements = 10};
  EXPECT_EQ(sgd.flops(MovingAverage::kNone), 60);
  EXPECT_EQ(sgd.flops(MovingAverage::kKept), 90);
  EXPECT_EQ(adam.flops(MovingAverage::kNone), 140);
  EXPECT_EQ(adam.bytes(MovingAverage::kKept, Bf16Copy::kNone), 360);
  EXPECT_EQ(sgd.bytes(MovingAverage::kNone, Bf16Copy::kWritten), 220);
}

}  // namespace
}  // namespace cudacards::testing
