#include "bench/support/agreement.h"

#include <gmock/gmock.h>

#include <limits>

namespace cudacards::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A tensor in the CPU's memory.
struct Held {
  explicit Held(std::int64_t elements) : values(static_cast<std::size_t>(elements), 1.0f) {}
  std::vector<Sample> sample() {
    return sampled(cpu_device(), {{"dst", {{static_cast<std::int64_t>(values.size())}, DType::kF32}, values.data()}});
  }
  std::vector<float> values;
};

constexpr std::int64_t kSmall = 1000, kLarge = 20'000'000;  // the large one is looked at in pieces

TEST(Agreement, EqualResultsAgree) {
  for (const std::int64_t elements : {kSmall, kLarge}) {
    Held a(elements), b(elements);
    EXPECT_THAT(disagreement(a.sample(), b.sample(), 1e-3, "b"), IsEmpty());
  }
}

TEST(Agreement, OneWrongElementIsNamedWithBothValues) {
  for (const std::int64_t at : {std::int64_t{0}, std::int64_t{17}, kSmall - 1}) {
    Held a(kSmall), b(kSmall);
    a.values[static_cast<std::size_t>(at)] = 3;
    EXPECT_EQ(disagreement(a.sample(), b.sample(), 1e-3, "reference"),
              "dst[" + std::to_string(at) + "] is 3 where reference has 1");
  }
}

TEST(Agreement, FirstAndLastElementOfALargeTensorAreLookedAtUnderTheirOwnIndex) {
  for (const std::int64_t at : {std::int64_t{0}, kLarge - 1}) {
    Held a(kLarge), b(kLarge);
    a.values[static_cast<std::size_t>(at)] = 3;
    EXPECT_THAT(disagreement(a.sample(), b.sample(), 1e-3, "b"), HasSubstr("dst[" + std::to_string(at) + "]"));
  }
}

TEST(Agreement, NothingAgreesWithWhatIsNoNumber) {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Held a(kSmall), b(kSmall);
    a.values[5] = wrong;
    EXPECT_THAT(disagreement(a.sample(), b.sample(), 1, "b"), HasSubstr("dst[5]"));
    EXPECT_THAT(disagreement(b.sample(), a.sample(), 1, "a"), HasSubstr("dst["));
  }
}

TEST(Agreement, RoundingOfTheStoredTypeIsAllowedAndTwiceThatSizeOfErrorIsNot) {
  Held a(kSmall), b(kSmall);
  a.values[5] = 1 + 1.0f / 256;  // a bf16's neighbour of 1 is 1/128 away
  EXPECT_THAT(disagreement(a.sample(), b.sample(), tolerance_of(Precision::kBf16), "b"), IsEmpty());
  EXPECT_THAT(disagreement(a.sample(), b.sample(), tolerance_of(Precision::kF32), "b"), HasSubstr("dst[5]"));
  a.values[5] = 1.05f;
  EXPECT_THAT(disagreement(a.sample(), b.sample(), tolerance_of(Precision::kBf16), "b"), HasSubstr("dst[5]"));
}

TEST(Agreement, OtherNumberOfResultsIsADisagreement) {
  Held a(kSmall);
  EXPECT_THAT(disagreement(a.sample(), {}, 1, "b"), HasSubstr("1 results where b has 0"));
}

}  // namespace
}  // namespace cudacards::bench
