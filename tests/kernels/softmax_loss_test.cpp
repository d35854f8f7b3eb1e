// The loss kernel against host/ops/softmax_loss.h's definition in double: loss, gradient, ranks and winners of each
// row.

#include "kernels/softmax_loss/softmax_loss.h"

#include <gmock/gmock.h>

#include <limits>
#include <optional>

#include "host/ops/reference/softmax_loss.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/norm_numbers.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

TEST(SoftmaxLossSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(softmax_loss_supports({.batch = 3, .classes = 53, .smoothing = 1}, DType::kF32));
  EXPECT_TRUE(softmax_loss_supports({.batch = (std::int64_t{1} << 31) - 1, .classes = 1 << 30}, DType::kBf16));
  EXPECT_THAT(softmax_loss_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(softmax_loss_supports({.classes = 0}, DType::kF32).reason(), HasSubstr("one class"));
  EXPECT_THAT(softmax_loss_supports({.classes = (1 << 30) + 1}, DType::kF32).reason(), HasSubstr("31 bits"));
  EXPECT_THAT(softmax_loss_supports({.batch = -1}, DType::kF32).reason(), HasSubstr("rows"));
  EXPECT_THAT(softmax_loss_supports({.batch = std::int64_t{1} << 31}, DType::kF32).reason(), HasSubstr("rows"));
  for (const float wrong : {-0.1f, 1.1f, kNan})
    EXPECT_THAT(softmax_loss_supports({.smoothing = wrong}, DType::kF32).reason(), HasSubstr("smoothing"));
}

TEST(SoftmaxLossProblem, CountsBytes) {
  EXPECT_EQ((SoftmaxLossProblem{.batch = 3, .classes = 53}.bytes(DType::kBf16)), 3 * 53 * 4 + 3 * 16);
  EXPECT_EQ((SoftmaxLossProblem{.batch = 3, .classes = 53}.flops()), 3 * 53 * 9);
}

TEST(SoftmaxLossLauncher, RefusesUnalignedMemoryAndStartsNothingForNoRows) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(softmax_loss({.classes = 2}, DType::kF32, {.logits = memory + 1}, nullptr).reason(),
              HasSubstr("aligned"));
  EXPECT_THAT(
      softmax_loss({.classes = 2}, DType::kF32, {.logits = memory, .diff_logits = memory + 1}, nullptr).reason(),
      HasSubstr("aligned"));
  EXPECT_THAT(softmax_loss({}, DType::kU8, {}, nullptr).reason(), HasSubstr("softmax_loss: no softmax loss of uint8"));
  EXPECT_TRUE(softmax_loss({.batch = 0}, DType::kF32, {}, nullptr));
}

enum class Gradient { kNone, kApart, kInPlace };

template <class T>
struct Results {
  std::vector<float> loss;
  std::vector<std::int32_t> rank, winner;
  std::vector<T> diff;

  Bytes bytes() const {
    Bytes all;
    const auto append = [&](const auto& values) {
      const auto* begin = reinterpret_cast<const std::byte*>(values.data());
      all.insert(all.end(), begin, begin + values.size() * sizeof values[0]);
    };
    append(loss), append(rank), append(winner), append(diff);
    return all;
  }
};

template <class T>
Results<T> on_device(const SoftmaxLossProblem& p, const std::vector<T>& logits, const std::vector<std::int32_t>& labels,
                     std::optional<int> rows = {}, Gradient gradient = Gradient::kApart) {
  const auto batch = static_cast<std::size_t>(p.batch);
  DeviceArray<T> x(logits, "logits"), diff(logits.size(), "diff_logits");
  DeviceArray<std::int32_t> y(labels, "labels"), count(std::vector{rows.value_or(0)}, "rows"),
      rank(batch, "label_rank"), winner(batch, "winner");
  DeviceArray<float> loss(batch, "row_loss");
  CUDACARDS_EXPECT_RUNS(softmax_loss(p, kTypeOf<T>,
                                     {.logits = x.data(),
                                      .labels = y.data(),
                                      .rows = rows ? count.data() : nullptr,
                                      .diff_logits = gradient == Gradient::kNone      ? nullptr
                                                     : gradient == Gradient::kInPlace ? x.data()
                                                                                      : diff.data(),
                                      .row_loss = loss.data(),
                                      .label_rank = rank.data(),
                                      .winner = winner.data()},
                                     nullptr));
  Results<T> results{.loss = loss.read(), .rank = rank.read(), .winner = winner.read(), .diff = {}};
  if (gradient == Gradient::kApart) results.diff = diff.read();
  if (gradient == Gradient::kInPlace) results.diff = x.read();
  return results;
}

std::vector<std::int32_t> some_labels(const SoftmaxLossProblem& p) {
  std::vector<std::int32_t> labels;
  for (std::int64_t row = 0; row < p.batch; ++row)
    labels.push_back(static_cast<std::int32_t>((row * 29 + 1) % p.classes));
  labels[0] = static_cast<std::int32_t>(p.classes - 1);
  return labels;
}

struct Expected {
  Bounded loss, diff;
  std::vector<std::int32_t> rank, winner;
};

constexpr double kRange = 8;  // of the logits

/// Row by row in double. exp(z) carries z's rounding, |z| <= kRange units, and its own; the sums one a term.
Expected expected_of(const SoftmaxLossProblem& p, const std::vector<double>& logits,
                     const std::vector<std::int32_t>& labels) {
  Expected e;
  e.loss.terms = e.diff.terms = static_cast<double>(p.classes);
  const auto smoothing = static_cast<double>(p.smoothing);
  for (std::int64_t row = 0; row < p.batch; ++row) {
    const double* x = logits.data() + row * p.classes;
    const std::int32_t label = labels[static_cast<std::size_t>(row)];
    std::vector<double> diff(static_cast<std::size_t>(p.classes));
    const auto result = reference::softmax_loss(x, &label, 1, 1, p.classes, smoothing, diff.data());
    const double* largest = std::max_element(x, x + p.classes);
    double sum_of_z = 0;
    for (int i = 0; i < p.classes; ++i) sum_of_z += *largest - x[i];
    e.loss.value.push_back(result.loss_sum);
    e.loss.magnitude.push_back(1 + 2 * kRange + smoothing / p.classes * sum_of_z);
    for (int i = 0; i < p.classes; ++i) {
      const double target = smoothing / p.classes + (i == label ? 1 - smoothing : 0);
      e.diff.value.push_back(diff[static_cast<std::size_t>(i)] / static_cast<double>(p.batch));
      e.diff.magnitude.push_back(((diff[static_cast<std::size_t>(i)] + target) * (1 + kRange) + target) /
                                 static_cast<double>(p.batch));
    }
    e.rank.push_back(static_cast<std::int32_t>(reference::rank_of_label(x, p.classes, label)));
    e.winner.push_back(static_cast<std::int32_t>(largest - x));
  }
  return e;
}

class SoftmaxLossKernel : public KernelTest, public ::testing::WithParamInterface<SoftmaxLossProblem> {};

template <class T>
void expect_the_definition(const SoftmaxLossProblem& p) {
  const auto logits = random_numbers<T>(p.elements(), -kRange / 2, kRange / 2, 21);
  const auto labels = some_labels(p);
  const Expected expected = expected_of(p, in_double(logits), labels);
  Results<T> results;
  const Bytes bytes = in_every_order([&] { return (results = on_device(p, logits, labels)).bytes(); });
  EXPECT_TRUE(within_bound(results.loss, expected.loss, DType::kF32, 2));
  EXPECT_TRUE(within_bound(in_float(results.diff), expected.diff, kTypeOf<T>, 2));
  EXPECT_EQ(results.rank, expected.rank);
  EXPECT_EQ(results.winner, expected.winner);
  EXPECT_EQ(on_device(p, logits, labels, static_cast<int>(p.batch), Gradient::kInPlace).bytes(), bytes);
  EXPECT_EQ(on_device(p, logits, labels, {}, Gradient::kNone).loss, results.loss);
}

TEST_P(SoftmaxLossKernel, IsTheDefinition) {
  expect_the_definition<float>(GetParam());
  expect_the_definition<Bf16>(GetParam());
}

/// Few different scores: ranks and winners are decided by position.
template <class T>
void expect_ties_by_position(const SoftmaxLossProblem& p) {
  const auto logits = random_integers<T>(p.elements(), -2, 2, 22);
  const auto labels = some_labels(p);
  const Expected expected = expected_of(p, in_double(logits), labels);
  const Results<T> results = on_device(p, logits, labels);
  EXPECT_EQ(results.rank, expected.rank);
  EXPECT_EQ(results.winner, expected.winner);
}

TEST_P(SoftmaxLossKernel, BreaksTiesByPosition) {
  expect_ties_by_position<float>(GetParam());
  expect_ties_by_position<Bf16>(GetParam());
}

/// The rows that count are divided by how many they are; the others have no loss and a zero gradient, whatever is in
/// them.
template <class T>
void expect_short_batches(const SoftmaxLossProblem& p, int rows) {
  auto logits = random_numbers<T>(p.elements(), -1, 1, 23);
  auto labels = some_labels(p);
  SoftmaxLossProblem counted = p;
  counted.batch = rows;
  const auto counted_elements = static_cast<std::ptrdiff_t>(counted.elements());
  const Results<T> alone = rows == 0 ? Results<T>{}
                                     : on_device<T>(counted, {logits.begin(), logits.begin() + counted_elements},
                                                    {labels.begin(), labels.begin() + rows});
  for (std::size_t i = static_cast<std::size_t>(counted_elements); i < logits.size(); ++i) logits[i] = T(kNan);
  for (std::size_t i = static_cast<std::size_t>(rows); i < labels.size(); ++i) labels[i] = -7;
  const Results<T> all = on_device(p, logits, labels, rows);
  const auto head = [&](auto values, std::ptrdiff_t n) { return decltype(values)(values.begin(), values.begin() + n); };
  EXPECT_EQ(head(all.loss, rows), alone.loss);
  EXPECT_EQ(head(all.rank, rows), alone.rank);
  EXPECT_EQ(head(all.winner, rows), alone.winner);
  EXPECT_EQ(in_float(head(all.diff, counted_elements)), in_float(alone.diff));
  for (std::size_t row = static_cast<std::size_t>(rows); row < all.loss.size(); ++row) {
    EXPECT_EQ(all.loss[row], 0.0f);
    EXPECT_EQ(all.rank[row], kNoRank);
    EXPECT_EQ(all.winner[row], -1);
  }
  for (std::size_t i = static_cast<std::size_t>(counted_elements); i < all.diff.size(); ++i)
    ASSERT_EQ(static_cast<float>(all.diff[i]), 0.0f) << i;
}

TEST_P(SoftmaxLossKernel, LeavesOutTheRowsThatDontCount) {
  const int batch = static_cast<int>(GetParam().batch);
  for (const int rows : {0, batch / 2, batch - 1}) {
    expect_short_batches<float>(GetParam(), rows);
    expect_short_batches<Bf16>(GetParam(), rows);
  }
}

// One element; the head's 53 classes, a batch that is no multiple of a block's four rows; ImageNet's 1000; either side
// of every bound between kernels; rows in memory with and without vectors; no, some and full smoothing.
INSTANTIATE_TEST_SUITE_P(Rows, SoftmaxLossKernel,
                         ::testing::Values(SoftmaxLossProblem{1, 1, 0}, SoftmaxLossProblem{2, 2, 0.1f},
                                           SoftmaxLossProblem{5, 31, 1}, SoftmaxLossProblem{9, 53, 0.1f},
                                           SoftmaxLossProblem{4, 64, 0}, SoftmaxLossProblem{5, 65, 0.2f},
                                           SoftmaxLossProblem{3, 256, 0}, SoftmaxLossProblem{3, 257, 0.1f},
                                           SoftmaxLossProblem{2, 1000, 0.1f}, SoftmaxLossProblem{1, 1024, 0},
                                           SoftmaxLossProblem{2, 1025, 0.1f}, SoftmaxLossProblem{3, 1032, 0},
                                           SoftmaxLossProblem{2, 2052, 0.3f}, SoftmaxLossProblem{1, 4111, 0}),
                         [](const auto& info) {
                           return std::to_string(info.param.batch) + "x" + std::to_string(info.param.classes);
                         });

class SoftmaxLossRows : public KernelTest {};

template <class T>
void expect_exact_gradients(int classes) {
  const SoftmaxLossProblem p{.batch = 4, .classes = classes, .smoothing = 0.5f};
  const auto labels = some_labels(p);
  const Results<T> results = on_device(p, std::vector<T>(static_cast<std::size_t>(p.elements()), T(7.0f)), labels);
  for (std::size_t i = 0; i < results.diff.size(); ++i) {
    const auto n = static_cast<std::size_t>(classes);
    const float target =
        0.5f / static_cast<float>(classes) + (i % n == static_cast<std::size_t>(labels[i / n]) ? 0.5f : 0);
    const T expected((1.0f / static_cast<float>(classes) - target) / 4);
    ASSERT_EQ(static_cast<float>(results.diff[i]), static_cast<float>(expected));
  }
}

TEST_F(SoftmaxLossRows, EqualScoresInPowersOfTwoAreExact) {
  for (const int classes : {16, 128, 512, 2048}) {
    expect_exact_gradients<float>(classes);
    expect_exact_gradients<Bf16>(classes);
  }
}

TEST_F(SoftmaxLossRows, HugeScoresStayFinite) {
  for (const float huge : {1e30f, 3e38f}) {
    const auto results = on_device<float>({.batch = 2, .classes = 3}, {huge, -huge, 0, huge, 0, -huge}, {0, 0});
    EXPECT_THAT(results.loss, Each(0.0f));
    EXPECT_THAT(results.diff, Each(0.0f));
  }
}

TEST_F(SoftmaxLossRows, AMinusInfinityIsAClassThatCannotBe) {
  const auto results = on_device<float>({.batch = 1, .classes = 3}, {1, -kInfinity, 1}, {0});
  EXPECT_FLOAT_EQ(results.loss[0], std::log(2.0f));
  EXPECT_THAT(results.diff, ElementsAre(-0.5f, 0.0f, 0.5f));
  for (const float smoothing : {0.0f, 0.1f, 1.0f})
    EXPECT_EQ(on_device<float>({.batch = 1, .classes = 3, .smoothing = smoothing}, {1, -kInfinity, 1}, {1}).loss[0],
              kInfinity);
}

TEST_F(SoftmaxLossRows, ANanIsNeverCorrectNorPredictedAndShowsInTheLoss) {
  for (const int classes : {53, 1032}) {
    const SoftmaxLossProblem p{.batch = 3, .classes = classes};
    const auto n = static_cast<std::size_t>(classes);
    std::vector<float> logits(3 * n, kNan);
    for (std::size_t i = 0; i < n; ++i) logits[2 * n + i] = i == 9 ? kNan : i == 4 ? 5.0f : 1.0f;
    const auto results = on_device(p, logits, {0, 7, 4});
    EXPECT_THAT(results.rank, ElementsAre(classes - 1, classes - 1, 1)) << "a NaN beats the largest";
    EXPECT_THAT(results.winner, Each(-1));
    for (const float loss : results.loss) EXPECT_TRUE(std::isnan(loss));
    for (const float diff : results.diff) ASSERT_TRUE(std::isnan(diff));
  }
}

TEST_F(SoftmaxLossRows, ALabelThatIsNoneShows) {
  const SoftmaxLossProblem p{.batch = 3, .classes = 3};
  const auto results = on_device<float>(p, {1, 2, 3, 1, 2, 3, 1, 2, 3}, {-1, 3, 2});
  EXPECT_THAT(results.rank, ElementsAre(kNoRank, kNoRank, 0));
  EXPECT_THAT(results.winner, Each(2));
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(std::isnan(results.loss[row]), row < 2);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(std::isnan(results.diff[3 * row + i]), row < 2);
  }
}

TEST_F(SoftmaxLossRows, ARowCountBeyondTheBatchIsTheBatch) {
  const SoftmaxLossProblem p{.batch = 2, .classes = 3};
  const std::vector<float> logits = {1, 2, 3, 4, 5, 7};
  EXPECT_EQ(on_device(p, logits, {0, 1}, 9).bytes(), on_device(p, logits, {0, 1}).bytes());
  EXPECT_THAT(on_device(p, logits, {0, 1}, -1).diff, Each(0.0f));
}

TEST_F(SoftmaxLossRows, MemoryTrafficIsWhatTheBytesNeed) {
  expect_traffic("softmax_loss", {}, [] {
    for (const int classes : {64, 256, 1024, 4096}) {
      const SoftmaxLossProblem p{.batch = 4, .classes = classes, .smoothing = 0.1f};
      on_device(p, random_numbers<float>(p.elements(), -1, 1, 24), some_labels(p));
      on_device(p, random_numbers<Bf16>(p.elements(), -1, 1, 24), some_labels(p));
    }
  });
}

TEST_F(SoftmaxLossRows, StartTheKernelThatIsMeantForTheirLength) {
  for (const auto& [classes, kernel] : kKernelsOfRows) {
    const SoftmaxLossProblem p{.batch = 1, .classes = classes};
    expect_started(std::string("softmax_loss_") + kernel,
                   [&] { on_device(p, std::vector<float>(static_cast<std::size_t>(classes), 0.5f), some_labels(p)); });
  }
}

}  // namespace
}  // namespace cudacards::testing
