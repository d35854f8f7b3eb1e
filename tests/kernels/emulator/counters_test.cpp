// Sectors and wavefronts are what a pencil says they are.

#include <gtest/gtest.h>

#include "kernels/simt/emulator/emulator.h"
#include "tests/kernels/emulator/access_patterns.h"

namespace cudacards::testing {
namespace {

using emulator::Flow;

struct Expected {
  AccessPattern pattern;
  const char* name;
  std::uint64_t requests, units, needed;  // of the pattern's own flow, one warp
  Flow flow;
};

class AccessPatterns : public ::testing::TestWithParam<Expected> {
 protected:
  void TearDown() override { emulator::settings() = {}; }
};

TEST_P(AccessPatterns, TakeTheSectorsAndWavefrontsOfTheHardware) {
  emulator::reset_counters();
  emulator::settings().counting = emulator::Counting::kOn;
  const Status status = run_pattern(GetParam().pattern);
  ASSERT_TRUE(status) << status.reason();
  ASSERT_EQ(emulator::counters().size(), 1u);
  const auto& traffic = emulator::counters().begin()->second.of(GetParam().flow);
  EXPECT_EQ(traffic.requests, GetParam().requests);
  EXPECT_EQ(traffic.units, GetParam().units);
  EXPECT_EQ(traffic.needed, GetParam().needed);
}

INSTANTIATE_TEST_SUITE_P(
    OneWarp, AccessPatterns,
    ::testing::Values(
        // 32 floats side by side: 128 bytes, 4 sectors.
        Expected{AccessPattern::kGlobalNeighbours, "neighbours", 1, 4, 4, Flow::kGlobalLoad},
        // The same one float further: 5 sectors.
        Expected{AccessPattern::kGlobalOffByOne, "off_by_one", 1, 5, 4, Flow::kGlobalLoad},
        // Every eighth float: a sector each.
        Expected{AccessPattern::kGlobalStrided, "strided", 1, 32, 4, Flow::kGlobalLoad},
        // All lanes the same float.
        Expected{AccessPattern::kGlobalBroadcast, "broadcast", 1, 1, 1, Flow::kGlobalLoad},
        // 32 * 16 bytes: 16 sectors.
        Expected{AccessPattern::kGlobalVectors, "vectors", 1, 16, 16, Flow::kGlobalLoad},
        // A column of a 32 x 32 tile: one bank, 32 wavefronts; with 33 a row, one.
        Expected{AccessPattern::kSharedColumn, "column", 1, 32, 1, Flow::kSharedLoad},
        Expected{AccessPattern::kSharedPaddedColumn, "padded_column", 1, 1, 1, Flow::kSharedLoad},
        // 16 bytes a lane side by side: four quarters, a wavefront each.
        Expected{AccessPattern::kSharedVectors, "shared_vectors", 1, 4, 4, Flow::kSharedLoad},
        // Eight rows of 16 bytes, 128 bytes apart: one after another; swizzled: at once. Four matrices.
        Expected{AccessPattern::kMatrixRowsInOneColumn, "matrix_rows", 4, 32, 4, Flow::kSharedLoad},
        Expected{AccessPattern::kMatrixRowsSwizzled, "matrix_rows_swizzled", 4, 4, 4, Flow::kSharedLoad}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards::testing
