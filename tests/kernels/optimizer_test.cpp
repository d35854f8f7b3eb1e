// The optimizer's kernels give the bytes of the CPU's optimizer, however the segments lie; a gradient that is not
// finite is found, named and stops the update.

#include "kernels/optimizer/optimizer.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "host/ops/optimizer.h"
#include "kernels/base/philox.h"
#include "kernels/optimizer/tuning.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kChunk = 4 * kOptimizerTuning.threads * kOptimizerTuning.quads;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr Bf16Copy kWithCopy = Bf16Copy::kWritten;
constexpr MovingAverage kWithAverage = MovingAverage::kKept;

std::vector<float> numbers(std::int64_t count, std::uint32_t key) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 2 * uniform01(philox4x32_10(key, 0, static_cast<std::uint32_t>(i), 0, 0, 0).v[0]) - 1;
  return values;
}

/// The five buffers of a run, on the host.
struct Buffers {
  std::vector<float> w, g, m, v, average;
  std::vector<std::uint16_t> copy;
  explicit Buffers(std::int64_t count)
      : w(numbers(count, 1)),
        g(numbers(count, 2)),
        m(numbers(count, 3)),
        v(numbers(count, 4)),
        average(numbers(count, 5)),
        copy(w.size(), 0x1234) {
    for (float& x : v) x = x * x;
  }
};

struct Case {
  OptimizerOptions options;
  std::int64_t elements = 0;
  std::vector<OptimizerSegment> segments;
  MovingAverage average = MovingAverage::kNone;
  Bf16Copy copy = Bf16Copy::kNone;

  OptimizerProblem problem() const {
    return {.options = options, .elements = elements, .segments = static_cast<int>(segments.size())};
  }
};

constexpr float kRate = 0.013f, kDecay = 0.9f;
constexpr std::uint64_t kFirstStep = 41;

Bytes bytes_of_vectors(const Buffers& b) {
  Bytes all;
  const auto append = [&](const auto& values) {
    const auto* begin = reinterpret_cast<const std::byte*>(values.data());
    all.insert(all.end(), begin, begin + values.size() * sizeof(values[0]));
  };
  append(b.w), append(b.m), append(b.v), append(b.average), append(b.copy);
  return all;
}

Bytes on_the_cpu(const Case& c, int steps) {
  Buffers b(c.elements);
  std::vector<float> none;
  for (int i = 0; i < steps; ++i) {
    optimizer_step(c.options, c.segments, kRate, kFirstStep + static_cast<std::uint64_t>(i), b.w, b.g, b.m, b.v,
                   c.average == kWithAverage ? b.average : none, kDecay);
  }
  for (const OptimizerSegment& segment : c.segments) {
    if (c.copy != kWithCopy) break;
    for (std::int64_t i = segment.begin; i < segment.end; ++i)
      b.copy[static_cast<std::size_t>(i)] = Bf16(b.w[static_cast<std::size_t>(i)]).bits;
  }
  return bytes_of_vectors(b);
}

/// A run's buffers on the device. SGD gets no second moment and must not miss it.
struct OnDevice {
  explicit OnDevice(const Case& c)
      : host(c.elements),
        w(host.w, "parameters"),
        g(host.g, "gradients"),
        m(host.m, "moment1"),
        v(host.v, "moment2"),
        average(host.average, "average"),
        copy(host.copy, "copy"),
        segments(c.segments, "segments"),
        clock(1, "clock"),
        report(std::vector{GradientReport{}}, "report") {
    args = {.segments = segments.data(),
            .clock = clock.data(),
            .parameters = w.data(),
            .gradients = g.data(),
            .moment1 = m.data(),
            .moment2 = c.options.kind == OptimizerKind::kSgd ? nullptr : v.data(),
            .average = c.average == kWithAverage ? average.data() : nullptr,
            .copy = c.copy == kWithCopy ? reinterpret_cast<Bf16*>(copy.data()) : nullptr};
  }
  Bytes bytes() const { return bytes_of(w, m, v, average, copy); }

  Buffers host;
  DeviceArray<float> w, g, m, v, average;
  DeviceArray<std::uint16_t> copy;
  DeviceArray<OptimizerSegment> segments;
  DeviceArray<OptimizerClock> clock;
  DeviceArray<GradientReport> report;
  OptimizerArgs args;
};

Bytes on_the_device(const Case& c, int steps) {
  OnDevice device(c);
  for (int i = 0; i < steps; ++i) {
    device.clock.write({optimizer_clock(c.options, kFirstStep + static_cast<std::uint64_t>(i), kRate, kDecay)});
    CUDACARDS_EXPECT_RUNS(optimizer_update(c.problem(), device.args, nullptr));
  }
  return device.bytes();
}

void expect_the_cpus_bytes(const Case& c, int steps = 1) {
  const Bytes expected = on_the_cpu(c, steps);
  EXPECT_TRUE(in_every_order([&] { return on_the_device(c, steps); }) == expected)
      << name_of(c.options.kind) << ", " << c.elements << " elements in " << c.segments.size() << " segments";
}

/// Segments of the given lengths one after another, decaying in turns, each with its own rate.
std::vector<OptimizerSegment> segments_of(const std::vector<std::int64_t>& lengths) {
  std::vector<OptimizerSegment> segments;
  std::int64_t begin = 0;
  for (const std::int64_t length : lengths) {
    const auto i = static_cast<float>(segments.size());
    segments.push_back({begin, begin + length, segments.size() % 2 == 0, 1.0f / (1 + i)});
    begin += length;
  }
  return segments;
}

Case case_of(OptimizerKind kind, const std::vector<OptimizerSegment>& segments, std::int64_t elements) {
  return {.options = {.kind = kind, .weight_decay = 0.05f}, .elements = elements, .segments = segments};
}

TEST(OptimizerSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(optimizer_supports({.elements = 5, .segments = 1}));
  EXPECT_THAT(optimizer_supports({.elements = -1}).reason(), HasSubstr("negative"));
  EXPECT_THAT(optimizer_supports({.elements = 1, .segments = -1}).reason(), HasSubstr("negative"));
  EXPECT_TRUE(optimizer_supports({.elements = kChunk * 0x7fffffff}));
  EXPECT_THAT(optimizer_supports({.elements = kChunk * 0x7fffffff + 1}).reason(), HasSubstr("blocks"));
}

TEST(OptimizerSegments, MustBeInOrder) {
  const auto verdict = [](std::vector<OptimizerSegment> segments) { return segments_are_ordered(segments, 10); };
  EXPECT_TRUE(verdict({}));
  EXPECT_TRUE(verdict({{0, 4}, {4, 4}, {6, 10}}));
  for (const auto& wrong : {std::vector<OptimizerSegment>{{-1, 4}}, {{0, 4}, {3, 6}}, {{5, 4}}, {{0, 11}}})
    EXPECT_THAT(verdict(wrong).reason(), HasSubstr("ascending"));
}

TEST(OptimizerProblemSizes, CountEachArrayOnce) {
  const OptimizerProblem adam{.elements = 10}, sgd{.options = {.kind = OptimizerKind::kSgd}, .elements = 10};
  EXPECT_EQ(adam.bytes(MovingAverage::kNone, Bf16Copy::kNone), 280);
  EXPECT_EQ(adam.bytes(kWithAverage, kWithCopy), 380);
  EXPECT_EQ(sgd.bytes(MovingAverage::kNone, Bf16Copy::kNone), 200);
}

TEST(OptimizerLauncher, RefusesWhatIsMissingOrUnaligned) {
  alignas(16) float memory[8] = {};
  const OptimizerSegment segment;
  const OptimizerClock clock;
  GradientReport report;
  const OptimizerProblem adam{.elements = 4, .segments = 1};
  const OptimizerArgs whole{.segments = &segment,
                            .clock = &clock,
                            .parameters = memory,
                            .gradients = memory,
                            .moment1 = memory,
                            .moment2 = memory,
                            .report = &report};
  const auto reason = [&](auto&& change) {
    OptimizerArgs args = whole;
    change(args);
    return optimizer_update(adam, args, nullptr).reason();
  };
  EXPECT_THAT(reason([](auto& a) { a.segments = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([](auto& a) { a.clock = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([](auto& a) { a.parameters = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([](auto& a) { a.gradients = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([](auto& a) { a.moment1 = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([](auto& a) { a.moment2 = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(reason([&](auto& a) { a.parameters = memory + 1; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(reason([&](auto& a) { a.gradients = memory + 1; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(reason([&](auto& a) { a.moment1 = memory + 1; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(reason([&](auto& a) { a.moment2 = memory + 1; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(reason([&](auto& a) { a.average = memory + 1; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(reason([&](auto& a) { a.copy = reinterpret_cast<Bf16*>(memory + 1); }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(optimizer_update({.elements = -1}, whole, nullptr).reason(), HasSubstr("negative"));
  EXPECT_TRUE(optimizer_update({.elements = 0, .segments = 1}, {}, nullptr));
  EXPECT_TRUE(optimizer_update({.elements = 4, .segments = 0}, {}, nullptr));

  EXPECT_THAT(check_gradients(adam, {}, nullptr).reason(), HasSubstr("report"));
  EXPECT_THAT(check_gradients({.elements = -1}, whole, nullptr).reason(), HasSubstr("negative"));
}

class Optimizer : public KernelTest, public ::testing::WithParamInterface<OptimizerKind> {};

// Chunks of 4096 elements: one element, ragged quads, a chunk to the element, several.
TEST_P(Optimizer, GivesTheCpusBytesForEverySize) {
  for (const std::int64_t elements : {std::int64_t{1}, std::int64_t{3}, std::int64_t{4}, std::int64_t{5}, kChunk - 1,
                                      kChunk, kChunk + 1, 2 * kChunk + 7}) {
    expect_the_cpus_bytes(case_of(GetParam(), {{0, elements, true}}, elements));
  }
}

// Steps build on each other: moments, the average and the copy of the latest parameters.
TEST_P(Optimizer, GivesTheCpusBytesOverSteps) {
  for (const auto average : {MovingAverage::kNone, kWithAverage}) {
    for (const auto copy : {Bf16Copy::kNone, kWithCopy}) {
      Case c = case_of(GetParam(), segments_of({53, 3, 128, 1, 1, 1, 61}), 250);
      c.average = average;
      c.copy = copy;
      expect_the_cpus_bytes(c, 3);
    }
  }
}

// What a segment says holds for its elements and no others, wherever its borders lie; what lies between stays.
TEST_P(Optimizer, FollowsTheSegments) {
  const std::vector<std::vector<OptimizerSegment>> tables = {
      segments_of({5, 6, 7, 8, 9, 10}),
      segments_of({kChunk, kChunk}),                    // borders where chunks meet
      segments_of({kChunk - 1, 2, kChunk - 3}),         // a quad of three segments, across two chunks
      segments_of(std::vector<std::int64_t>(70, 1)),    // 70 in one chunk, four a quad
      segments_of(std::vector<std::int64_t>(67, 130)),  // the third chunk begins in the 64th
      segments_of(std::vector<std::int64_t>(90, 60)),   // 68 before the second chunk: three rounds of search
      segments_of({kChunk, 0, 0, 12}),                  // empty ones
      {{3, 9, true}, {14, 21, false, 0.5f}, {kChunk + 4, kChunk + 8}},  // gaps at both ends and between
  };
  for (const auto& segments : tables) {
    Case c = case_of(GetParam(), segments, segments.back().end + 9);
    c.copy = kWithCopy;
    c.average = kWithAverage;
    expect_the_cpus_bytes(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Optimizer,
                         ::testing::Values(OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW));

class OptimizerGuard : public KernelTest {};

struct Planted {
  std::vector<std::int64_t> at;
  float value;
  int first_segment;
};

TEST_F(OptimizerGuard, FindsEveryGradientThatIsNotFinite) {
  Case c = case_of(OptimizerKind::kAdam, {{0, 5}, {5, 4101}, {4103, 8300, true}}, 8400);
  const std::vector<Planted> plants = {
      {{0}, kNan, 0},
      {{4}, kInfinity, 0},
      {{5}, -kInfinity, 1},
      {{4100, 4103}, kNan, 1},
      {{8299}, kInfinity, 2},
      {{8299, 4700}, -kNan, 2},
      {{20, 21, 22, 23}, kNan, 1},
      {{4101, 8300}, kNan, -1},  // in gaps: no segment's
      {{6}, std::numeric_limits<float>::max(), -1},
  };
  for (const Planted& plant : plants) {
    const bool found = plant.first_segment >= 0;
    const Bytes result = in_every_order([&] {
      OnDevice device(c);
      const Bytes before = device.bytes();
      std::vector<float> g = device.host.g;
      for (const std::int64_t i : plant.at) g[static_cast<std::size_t>(i)] = plant.value;
      device.g.write(g);
      device.clock.write({optimizer_clock(c.options, 0, kRate)});
      device.report.write({{.not_finite = 77, .first_segment = -5}});  // of an earlier check
      device.args.report = device.report.data();
      CUDACARDS_EXPECT_RUNS(check_gradients(c.problem(), device.args, nullptr));
      CUDACARDS_EXPECT_RUNS(optimizer_update(c.problem(), device.args, nullptr));
      const GradientReport report = device.report.read()[0];
      EXPECT_EQ(report.not_finite, found ? plant.at.size() : 0u) << plant.at[0];
      EXPECT_EQ(report.first_segment, found ? plant.first_segment : GradientReport::kNoSegment) << plant.at[0];
      EXPECT_EQ(report.skipped, found ? 1u : 0u);
      EXPECT_EQ(device.bytes() == before, found) << plant.at[0];

      // The next, sound gradients are not taken behind a bad step, until the host has seen to it.
      device.g.write(device.host.g);
      CUDACARDS_EXPECT_RUNS(check_gradients(c.problem(), device.args, nullptr));
      CUDACARDS_EXPECT_RUNS(optimizer_update(c.problem(), device.args, nullptr));
      EXPECT_EQ(device.report.read()[0].skipped, found ? 2u : 0u);
      if (found) {
        EXPECT_TRUE(device.bytes() == before) << plant.at[0];
      }
      device.report.write({{}});
      CUDACARDS_EXPECT_RUNS(check_gradients(c.problem(), device.args, nullptr));
      CUDACARDS_EXPECT_RUNS(optimizer_update(c.problem(), device.args, nullptr));
      EXPECT_EQ(device.report.read()[0].not_finite, 0u);
      EXPECT_FALSE(device.bytes() == before);
      return bytes_of(device.report, device.w);
    });
    EXPECT_FALSE(result.empty());
  }
}

TEST_F(OptimizerGuard, RefusesWhatIsMissingOrUnaligned) {
  DeviceArray<GradientReport> report(std::vector{GradientReport{.not_finite = 3}}, "report");
  alignas(16) float memory[8] = {};
  const OptimizerSegment segment;
  const OptimizerProblem problem{.elements = 4, .segments = 1};
  EXPECT_THAT(check_gradients(problem, {.gradients = memory, .report = report.data()}, nullptr).reason(),
              HasSubstr("must be given"));
  EXPECT_THAT(check_gradients(problem, {.segments = &segment, .report = report.data()}, nullptr).reason(),
              HasSubstr("must be given"));
  EXPECT_THAT(
      check_gradients(problem, {.segments = &segment, .gradients = memory + 1, .report = report.data()}, nullptr)
          .reason(),
      HasSubstr("16-byte aligned"));
  CUDACARDS_ASSERT_RUNS(check_gradients({.elements = 0, .segments = 1}, {.report = report.data()}, nullptr));
  EXPECT_EQ(report.read()[0].not_finite, 0u);  // nothing to look at, and that is said
}

class OptimizerTraffic : public KernelTest {};

// 20 segments over three chunks, as the layers of a model lie: on multiples of 16 elements.
TEST_F(OptimizerTraffic, IsWhatTheBytesNeed) {
  const std::vector<std::int64_t> lengths = {432, 16, 4608, 32, 1024, 64, 2048, 64};
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdam}) {
    Case c = case_of(kind, segments_of(lengths), 8288);
    c.average = kWithAverage;
    c.copy = kWithCopy;
    expect_traffic("update_kernel", {}, [&] { on_the_device(c, 1); });
    expect_traffic("check_gradients_kernel", {}, [&] {
      OnDevice device(c);
      device.args.report = device.report.data();
      CUDACARDS_EXPECT_RUNS(check_gradients(c.problem(), device.args, nullptr));
    });
  }
}

}  // namespace
}  // namespace cudacards::testing
