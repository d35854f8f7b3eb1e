// Candidates are held against the row in force before they are timed.

#include "bench/sweep/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/sweep/emulated_machine.h"

namespace cudacards::sweep {
namespace {

using ::testing::HasSubstr;

/// dst = src, written by the host: device memory of the emulator is the process's own.
Status copied(const Pointers& a, std::size_t count, float off) {
  std::vector<float> values(count);
  testing::device_read(values.data(), a[0], count * sizeof(float));
  values[count / 2] += off;
  testing::device_write(a[1], values.data(), count * sizeof(float));
  return Status::ok();
}

Experiment experiment_of(std::vector<Choice> choices) {
  constexpr std::int64_t kElements = 100;
  return {
      .name = "copy",
      .terms = 1,
      .arrays = {{.name = "src", .elements = kElements}, {.name = "dst", .elements = kElements, .role = Role::kOutput}},
      .choices = std::move(choices),
      .choice_of_row = {}};
}
Choice off_by(const char* name, float off, Agreement agreement = Agreement::kSameBytes) {
  return {
      .name = name, .launch = [off](const Pointers& a, Stream) { return copied(a, 100, off); }, .agreement = agreement};
}

TEST(Measure, TimesWhatAgrees) {
  EmulatedMachine machine([](int n) { return 10.0 + n; });
  const Timings timings = measure(experiment_of({off_by("first", 0), off_by("second", 0)}), machine);
  EXPECT_EQ(timings[0].microseconds, 10);
  EXPECT_EQ(timings[1].microseconds, 11);
  EXPECT_EQ(timings[1].refusal, "");
}

TEST(Measure, RefusesOtherBytesAndDoesNotTimeThem) {
  EmulatedMachine machine([](int) { return 1.0; });
  const Timings timings = measure(experiment_of({off_by("first", 0), off_by("second", 1e-6f)}), machine);
  EXPECT_THAT(timings[1].refusal, HasSubstr("dst[50] is "));
  EXPECT_EQ(machine.measured(), 1);
}

TEST(Measure, AllowsSumsInAnotherOrderWithinTheBoundOnly) {
  EmulatedMachine machine([](int) { return 1.0; });
  const Timings timings = measure(experiment_of({off_by("first", 0), off_by("a rounding", 1e-8f, Agreement::kSameSums),
                                                 off_by("an error", 1e-3f, Agreement::kSameSums)}),
                                  machine);
  EXPECT_EQ(timings[1].refusal, "");
  EXPECT_THAT(timings[2].refusal, HasSubstr("bound"));
}

TEST(Measure, SeesElementsThatAreLeftUnwritten) {
  EmulatedMachine machine([](int) { return 1.0; });
  const Choice half = {.name = "half",
                       .launch = [](const Pointers& a, Stream) { return copied(a, 50, 0); },
                       .agreement = Agreement::kSameSums};
  EXPECT_THAT(measure(experiment_of({off_by("first", 0), half}), machine)[1].refusal, HasSubstr("dst[50] is "));
}

TEST(Measure, PassesOnWhyALaunchFailed) {
  EmulatedMachine machine([](int) { return 1.0; });
  const Choice broken = {.name = "broken", .launch = [](const Pointers&, Stream) { return Status::failed("no room"); }};
  EXPECT_EQ(measure(experiment_of({off_by("first", 0), broken}), machine)[1].refusal, "no room");
  const Timings without_first = measure(experiment_of({broken, off_by("second", 0)}), machine);
  EXPECT_EQ(without_first[0].refusal, "no room");
  EXPECT_EQ(without_first[1].refusal, "nothing to hold it against: no room");
}

}  // namespace
}  // namespace cudacards::sweep
