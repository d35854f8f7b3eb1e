// Every implementation of the vendor's says in words why it cannot: a plan for a GPU is printed on machines without
// one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/making.h"
#include "host/runtime/device_choice.h"
#include "tests/support/op_case.h"

namespace cudacards::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::pair<const Implementation*, OpFamily>>& all() {
  static const std::vector<std::pair<const Implementation*, OpFamily>> implementations = {
      {&kCudnnConv2d, OpFamily::kConv2d},
      {&kCudnnMaxPool, OpFamily::kMaxPool},
      {&kCudnnGlobalAveragePool, OpFamily::kGlobalAveragePool},
      {&kCudnnBatchNorm, OpFamily::kBatchNorm},
      {&kCudnnSoftmax, OpFamily::kSoftmax},
      {&kCublasLtDense, OpFamily::kDense}};
  return implementations;
}

TEST(VendorImplementations, SayWhatIsMissingWhereThereIsNoGpu) {
  if (!list_gpus().devices.empty()) GTEST_SKIP() << "there is a GPU";
  for (const auto& [implementation, family] : all()) {
    Problem problem = cases_of(family).front().problem();
    problem.target.kind = DeviceKind::kCuda;
    const Verdict verdict = implementation->supports(*cases_of(family).front().operation, problem);
    EXPECT_FALSE(verdict);
    EXPECT_THAT(verdict.reason(), AnyOf(StartsWith("cuDNN: "), StartsWith("cuBLASLt: ")));
    // The library, its headers, or what asks it for engines.
    EXPECT_THAT(verdict.reason(), AnyOf(HasSubstr("not found"), HasSubstr("no GPU to ask"), HasSubstr("is needed")));
  }
}

TEST(VendorImplementations, RefuseOtherDevices) {
  for (const auto& [implementation, family] : all()) {
    Problem problem = cases_of(family).front().problem();
    for (const DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kEmulated}) {
      problem.target.kind = kind;
      EXPECT_FALSE(implementation->supports(*cases_of(family).front().operation, problem));
    }
  }
}

/// In the lists of GPUs behind the project's own kernels and before the reference, and in no other list.
TEST(VendorImplementations, StandBetweenTheKernelsAndTheReference) {
  for (const OpFamily family : {OpFamily::kConv2d, OpFamily::kDense, OpFamily::kMaxPool, OpFamily::kGlobalAveragePool,
                                OpFamily::kBatchNorm, OpFamily::kSoftmax}) {
    const Operation& operation = *cases_of(family).front().operation;
    const auto list = operation.implementations(DeviceKind::kCuda);
    const auto is_vendor = [](const Implementation& i) { return i.family == "vendor"; };
    const auto first = std::ranges::find_if(list, is_vendor);
    ASSERT_NE(first, list.end());
    EXPECT_TRUE(std::all_of(list.begin(), first, [](const Implementation& i) { return i.family == "hand"; }));
    EXPECT_EQ(list.back().family, "reference");
    EXPECT_TRUE(std::all_of(first, list.end() - 1, is_vendor));
    EXPECT_TRUE(std::ranges::none_of(operation.implementations(DeviceKind::kEmulated), is_vendor));
  }
}

TEST(VendorImplementations, LeaveOtherShapesOfConvolutionsToTheOthers) {
  const OpCase c = cases_of(OpFamily::kConv2d).front();
  Problem problem = c.problem();
  problem.target.kind = DeviceKind::kCuda;
  const Conv2d plain({.filters = 4, .kernel = 3}), pooled({.filters = 4, .kernel = 3}, Pool2dOptions{});
  EXPECT_EQ(kCublasLtPointwise.supports(pooled, problem).reason().find("cuDNN"), std::string::npos);
  EXPECT_FALSE(kCublasLtPointwise.supports(plain, problem));
  EXPECT_FALSE(kCudnnConv2dThenPool.supports(plain, problem));
}

/// The plan's regions are aligned to 64 bytes, the libraries want 256.
TEST(VendorWorkspace, IsAlignedInAnyRegion) {
  alignas(256) std::byte memory[2048];
  for (std::size_t offset = 0; offset < 512; offset += kAlignment) {
    auto* workspace = static_cast<std::byte*>(vendor::workspace_in(memory + offset));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(workspace) % vendor::kWorkspaceAlignment, 0u);
    EXPECT_GE(workspace, memory + offset);
    EXPECT_LE(workspace + 1000, memory + offset + vendor::padded_workspace(1000));
  }
  EXPECT_EQ(vendor::padded_workspace(0), 0u);
}

}  // namespace
}  // namespace cudacards::testing
