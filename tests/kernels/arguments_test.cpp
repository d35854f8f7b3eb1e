// Each launcher names the array that it needs and was not given, before anything is started; no device is needed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/direct.h"
#include "kernels/conv_pool/conv_pool.h"
#include "kernels/dense/dense.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/metrics/metrics.h"
#include "kernels/pool/pool.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax_loss/softmax_loss.h"
#include "tests/support/case_scope.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;
using testing_support::CaseScope;

alignas(16) std::byte memory[64];

/// The i-th array of a launcher, or null where the i-th is left out.
struct Arrays {
  int left_out;
  template <class T = void>
  T* operator()(int i) const {
    return i == left_out ? nullptr : reinterpret_cast<T*>(memory);
  }
};
struct Launcher {
  const char* name;
  std::vector<const char*> arrays;  // that it needs
  std::function<Status(const Arrays&)> call;
};

const Conv2dProblem kConv = {.n = 1, .h = 4, .w = 4, .c = 3, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
const Conv2dProblem kDepthwise = {
    .n = 1, .h = 4, .w = 4, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}, .groups = 8};
const ConvPoolProblem kConvPool = conv_pool_problem(1, 4, 4, 3, 8);
constexpr DType kType = DType::kF32;

const std::vector<Launcher>& launchers() {
  static const std::vector<Launcher> all = {
      {"conv2d_forward",
       {"src", "weights", "dst"},
       [](const Arrays& a) {
         return conv2d_forward(kConv, kType, {.src = a(0), .weights = a(1), .dst = a(2)}, nullptr);
       }},
      {"conv2d_backward_data",
       {"diff_dst", "weights", "diff_src"},
       [](const Arrays& a) {
         return conv2d_backward_data(kConv, kType, {.diff_dst = a(0), .weights = a(1), .diff_src = a(2)}, nullptr);
       }},
      {"conv2d_backward_weights",
       {"src", "diff_dst", "workspace", "diff_weights", "diff_bias"},
       [](const Arrays& a) {
         return conv2d_backward_weights(kConv, kType,
                                        {.src = a(0),
                                         .diff_dst = a(1),
                                         .diff_weights = a.operator()<float>(3),
                                         .diff_bias = a.operator()<float>(4),
                                         .workspace = a(2)},
                                        nullptr);
       }},
      {"conv2d_direct",
       {"src", "weights", "dst"},
       [](const Arrays& a) {
         return conv2d_direct(kConv, kType, kType, {.src = a(0), .weights = a.operator()<float>(1), .dst = a(2)},
                              nullptr);
       }},
      {"conv_pool_forward",
       {"src", "weights", "dst"},
       [](const Arrays& a) {
         return conv_pool_forward(kConvPool, kType, {.src = a(0), .weights = a(1), .dst = a(2)}, nullptr);
       }},
      {"conv_pool_backward_data",
       {"diff_dst", "dst", "argmax", "weights", "diff_src"},
       [](const Arrays& a) {
         return conv_pool_backward_data(kConvPool, kType,
                                        {.diff_dst = a(0),
                                         .dst = a(1),
                                         .argmax = a.operator()<std::uint32_t>(2),
                                         .weights = a(3),
                                         .diff_src = a(4)},
                                        nullptr);
       }},
      {"conv_pool_backward_weights",
       {"src", "diff_dst", "dst", "argmax", "diff_weights", "workspace"},
       [](const Arrays& a) {
         return conv_pool_backward_weights(kConvPool, kType,
                                           {.src = a(0),
                                            .diff_dst = a(1),
                                            .dst = a(2),
                                            .argmax = a.operator()<std::uint32_t>(3),
                                            .diff_weights = a.operator()<float>(4),
                                            .workspace = a.operator()<float>(5)},
                                           nullptr);
       }},
      {"depthwise_forward",
       {"src", "weights", "dst"},
       [](const Arrays& a) {
         return depthwise_forward(kDepthwise, kType, {.src = a(0), .weights = a.operator()<float>(1), .dst = a(2)},
                                  nullptr);
       }},
      {"depthwise_backward_data",
       {"diff_dst", "weights", "diff_src"},
       [](const Arrays& a) {
         return depthwise_backward_data(
             kDepthwise, kType, {.diff_dst = a(0), .weights = a.operator()<float>(1), .diff_src = a(2)}, nullptr);
       }},
      {"depthwise_backward_weights",
       {"src", "diff_dst", "diff_weights", "workspace"},
       [](const Arrays& a) {
         return depthwise_backward_weights(kDepthwise, kType,
                                           {.src = a(0),
                                            .diff_dst = a(1),
                                            .diff_weights = a.operator()<float>(2),
                                            .workspace = a.operator()<float>(3)},
                                           nullptr);
       }},
      {"max_pool_forward",
       {"src", "dst"},
       [](const Arrays& a) { return max_pool_forward({.h = 2, .w = 2}, kType, {.src = a(0), .dst = a(1)}, nullptr); }},
      {"max_pool_backward",
       {"diff_dst", "argmax", "diff_src"},
       [](const Arrays& a) {
         return max_pool_backward({.h = 2, .w = 2}, kType,
                                  {.diff_dst = a(0), .argmax = a.operator()<std::uint8_t>(1), .diff_src = a(2)},
                                  nullptr);
       }},
      {"average_pool_forward",
       {"src", "dst"},
       [](const Arrays& a) {
         return average_pool_forward({.h = 2, .w = 2}, kType, {.src = a(0), .dst = a(1)}, nullptr);
       }},
      {"average_pool_backward",
       {"diff_dst", "diff_src"},
       [](const Arrays& a) {
         return average_pool_backward({.h = 2, .w = 2}, kType, {.diff_dst = a(0), .diff_src = a(1)}, nullptr);
       }},
      {"global_average_pool_forward",
       {"src", "dst"},
       [](const Arrays& a) { return global_average_pool_forward({}, kType, {.src = a(0), .dst = a(1)}, nullptr); }},
      {"global_average_pool_backward",
       {"diff_dst", "diff_src"},
       [](const Arrays& a) {
         return global_average_pool_backward({}, kType, {.diff_dst = a(0), .diff_src = a(1)}, nullptr);
       }},
      {"activation_forward",
       {"src", "dst"},
       [](const Arrays& a) { return activation_forward({.elements = 1}, kType, {.src = a(0), .dst = a(1)}, nullptr); }},
      {"activation_backward",
       {"dst", "diff_dst", "diff_src"},
       [](const Arrays& a) {
         return activation_backward({.elements = 1}, kType, {.dst = a(0), .diff_dst = a(1), .diff_src = a(2)}, nullptr);
       }},
      {"add",
       {"a", "b", "dst"},
       [](const Arrays& a) { return add({.elements = 1}, kType, {.a = a(0), .b = a(1), .dst = a(2)}, nullptr); }},
      {"add_backward",
       {"diff_dst", "diff_src"},
       [](const Arrays& a) {
         return add_backward({.elements = 1}, kType, {.diff_dst = a(0), .diff_src = a(1)}, nullptr);
       }},
      {"batch_norm_training",
       {"src", "dst", "workspace", "gamma", "beta", "saved_mean", "saved_rstd", "running_variance"},
       [](const Arrays& a) {
         return batch_norm_training({}, kType,
                                    {.src = a(0),
                                     .gamma = a.operator()<float>(3),
                                     .beta = a.operator()<float>(4),
                                     .dst = a(1),
                                     .saved_mean = a.operator()<float>(5),
                                     .saved_rstd = a.operator()<float>(6),
                                     .running_mean = a.operator()<float>(100),
                                     .running_variance = a.operator()<float>(7),
                                     .workspace = a(2)},
                                    nullptr);
       }},
      {"batch_norm_inference",
       {"src", "dst", "gamma", "beta", "mean", "variance"},
       [](const Arrays& a) {
         return batch_norm_inference({}, kType,
                                     {.src = a(0),
                                      .gamma = a.operator()<float>(2),
                                      .beta = a.operator()<float>(3),
                                      .mean = a.operator()<float>(4),
                                      .variance = a.operator()<float>(5),
                                      .dst = a(1)},
                                     nullptr);
       }},
      {"batch_norm_backward",
       {"src", "diff_dst", "diff_src", "workspace", "gamma", "beta", "mean", "spread"},
       [](const Arrays& a) {
         return batch_norm_backward({}, kType,
                                    {.src = a(0),
                                     .diff_dst = a(1),
                                     .gamma = a.operator()<float>(4),
                                     .beta = a.operator()<float>(5),
                                     .mean = a.operator()<float>(6),
                                     .spread = a.operator()<float>(7),
                                     .diff_src = a(2),
                                     .workspace = a(3)},
                                    nullptr);
       }},
      {"batch_norm_average",
       {"mean", "rstd", "running_mean", "running_variance"},
       [](const Arrays& a) {
         return batch_norm_average({},
                                   {.mean = a.operator()<float>(0),
                                    .rstd = a.operator()<float>(1),
                                    .running_mean = a.operator()<float>(2),
                                    .running_variance = a.operator()<float>(3)},
                                   nullptr);
       }},
      {"fold_batch_norm",
       {"weights", "gamma", "beta", "mean", "variance", "folded_weights", "folded_bias"},
       [](const Arrays& a) {
         return fold_batch_norm({}, kType,
                                {.weights = a.operator()<float>(0),
                                 .gamma = a.operator()<float>(1),
                                 .beta = a.operator()<float>(2),
                                 .mean = a.operator()<float>(3),
                                 .variance = a.operator()<float>(4),
                                 .folded_weights = a(5),
                                 .folded_bias = a.operator()<float>(6)},
                                nullptr);
       }},
      {"softmax",
       {"src", "dst"},
       [](const Arrays& a) { return softmax({.rows = 1, .classes = 2}, kType, {.src = a(0), .dst = a(1)}, nullptr); }},
      {"softmax_backward",
       {"dst", "diff_dst", "diff_src"},
       [](const Arrays& a) {
         return softmax_backward({.rows = 1, .classes = 2}, kType, {.dst = a(0), .diff_dst = a(1), .diff_src = a(2)},
                                 nullptr);
       }},
      {"softmax_loss",
       {"logits", "labels", "row_loss", "label_rank", "winner"},
       [](const Arrays& a) {
         return softmax_loss({.batch = 1, .classes = 2}, kType,
                             {.logits = a(0),
                              .labels = a.operator()<std::int32_t>(1),
                              .row_loss = a.operator()<float>(2),
                              .label_rank = a.operator()<std::int32_t>(3),
                              .winner = a.operator()<std::int32_t>(4)},
                             nullptr);
       }},
      {"accumulate_metrics",
       {"row_loss", "label_rank", "metrics"},
       [](const Arrays& a) {
         return accumulate_metrics({},
                                   {.row_loss = a.operator()<float>(0),
                                    .label_rank = a.operator()<std::int32_t>(1),
                                    .metrics = a.operator()<Metrics>(2)},
                                   nullptr);
       }},
      {"dropout",
       {"src", "dst", "clock"},
       [](const Arrays& a) {
         return dropout({.elements = 4}, kType, {.src = a(0), .dst = a(1), .clock = a.operator()<StepClock>(2)},
                        nullptr);
       }},
  };
  return all;
}

TEST(LauncherArguments, AreNamedWhereTheyAreMissing) {
  for (const Launcher& launcher : launchers()) {
    for (std::size_t i = 0; i < launcher.arrays.size(); ++i) {
      const CaseScope scope(std::string(launcher.name) + " without " + launcher.arrays[i]);
      const std::string wanted = std::string(": ") + launcher.arrays[i] + " must be given";
      EXPECT_THAT(launcher.call({static_cast<int>(i)}).reason(), HasSubstr(wanted));
    }
  }
}

TEST(LauncherArguments, NeedNotBeGivenForGradientsThatNobodyWants) {
  EXPECT_TRUE(activation_backward({.elements = 1}, kType, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(add_backward({.elements = 1}, kType, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_THAT(
      conv_pool_backward_data(conv_pool_problem(1, 4, 4, 3, 8, Activation::kNone), kType, {.diff_dst = memory}, nullptr)
          .reason(),
      HasSubstr("argmax must be given"))
      << "dst is not read without an activation";
}

TEST(Workspaces, AreEmptyForProblemsThatAreRefused) {
  Conv2dProblem conv = kConv, depthwise = kDepthwise;
  conv.stride_h = depthwise.stride_h = 0;
  EXPECT_EQ(conv2d_backward_weights_workspace(conv, kType), 0u);
  EXPECT_EQ(depthwise_backward_weights_workspace(depthwise, kType), 0u);
  EXPECT_EQ(conv_pool_workspace_bytes(conv_pool_problem(1, 1, 1, 3, 8), kType), 0u);
  EXPECT_EQ(dense_forward_workspace_bytes({.rows = 0}), 0u);
  EXPECT_EQ(dense_wgrad_workspace_bytes({.units = 0}), 0u);
}

TEST(Problems, AreRefusedWhereTheirProductsWouldOverflow) {
  constexpr int kHuge = 1 << 30;
  const auto refused = [](const Verdict& verdict) { return verdict.reason(); };
  Conv2dProblem conv = kConv, depthwise = kDepthwise;
  conv.n = conv.h = conv.w = depthwise.n = depthwise.h = depthwise.w = kHuge;
  EXPECT_THAT(refused(conv2d_is_valid(conv, kType)), HasSubstr("2^31 pixels"));
  EXPECT_THAT(refused(depthwise_supports(depthwise, kType)), HasSubstr("2^31 pixels"));
  EXPECT_THAT(refused(conv_pool_supports(conv_pool_problem(kHuge, kHuge, kHuge, kHuge, 8), kType)),
              HasSubstr("in a picture"));
  EXPECT_THAT(refused(conv_pool_supports(conv_pool_problem(kHuge, 64, 64, 8, 8), kType)), HasSubstr("blocks"));
  EXPECT_THAT(refused(max_pool_supports({.n = kHuge, .h = kHuge, .w = kHuge, .c = kHuge}, kType)),
              HasSubstr("2^31 elements"));
  EXPECT_THAT(refused(global_average_pool_supports({.n = kHuge, .pixels = kHuge, .c = kHuge}, kType)),
              HasSubstr("2^31 elements"));
  conv = kConv, depthwise = kDepthwise;
  conv.pad.left = depthwise.pad.bottom = 0x7fffffff;
  EXPECT_THAT(refused(conv2d_is_valid(conv, kType)), HasSubstr("padding above"));
  EXPECT_THAT(refused(depthwise_supports(depthwise, kType)), HasSubstr("padding above"));
  EXPECT_THAT(refused(dropout_supports({.elements = -1}, kType)), HasSubstr("less than 0"));
  ConvPoolProblem split = kConvPool;
  split.weight_splits = -1;
  EXPECT_THAT(refused(conv_pool_supports(split, kType)), HasSubstr("splits"));
}

}  // namespace
}  // namespace cudacards::testing
