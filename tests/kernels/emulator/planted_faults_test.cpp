// Every kind of fault is found at its line under every order of threads, and the same kernel without it is not blamed.

#include "tests/kernels/emulator/planted_faults.h"

#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <vector>

#include "kernels/simt/emulator/emulator.h"

namespace cudacards::testing {
namespace {

using emulator::Order;
using ::testing::Contains;

std::vector<int> lines_of(const std::string& fault) {
  std::ifstream source(std::string(CUDACARDS_SOURCE_DIR) + "/tests/kernels/emulator/planted_faults.cu");
  const std::string mark = "// FAULT " + fault;
  std::vector<int> lines;
  int number = 1;
  for (std::string line; std::getline(source, line); ++number) {
    if (line.ends_with(mark)) lines.push_back(number);
  }
  return lines;
}

class PlantedFaults : public ::testing::TestWithParam<PlantedFault> {
 protected:
  void SetUp() override {
    emulator::take_faults();
    emulator::settings().most_accesses_in_a_turn = 100'000;
  }
  void TearDown() override { emulator::settings() = {}; }
};

TEST_P(PlantedFaults, AreFoundAtTheirLine) {
  for (const Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
    emulator::settings().order = order;
    const Status status = GetParam().run(Twin::kFaulty);
    EXPECT_FALSE(status);
    const auto faults = emulator::take_faults();
    ASSERT_EQ(faults.size(), 1u) << status.reason();
    EXPECT_STREQ(name_of(faults[0].kind), name_of(GetParam().kind)) << faults[0].to_string();
    EXPECT_THAT(lines_of(GetParam().name), Contains(faults[0].where.line)) << faults[0].to_string();
    EXPECT_TRUE(faults[0].where.file.ends_with("planted_faults.cu")) << faults[0].to_string();
    EXPECT_NE(faults[0].kernel.find(GetParam().name), std::string::npos) << faults[0].to_string();
    EXPECT_EQ(status.reason(), faults[0].to_string());
  }
}

TEST_P(PlantedFaults, AreNotSeenInTheCleanTwin) {
  for (const Order order : {Order::kForward, Order::kReverse, Order::kShuffled}) {
    emulator::settings().order = order;
    const Status status = GetParam().run(Twin::kClean);
    EXPECT_TRUE(status) << status.reason();
    EXPECT_TRUE(emulator::take_faults().empty());
  }
}

TEST(HostCopy, OfWhatNobodyHasWrittenIsAFault) {
  emulator::take_faults();
  auto* memory = static_cast<std::byte*>(emulator::allocate(64, "a result"));
  std::byte host[64] = {};
  emulator::fill(memory, 7, 40);
  emulator::fill(memory + 48, 7, 16);
  EXPECT_TRUE(emulator::copy_to_host(host, memory, 40));
  EXPECT_TRUE(emulator::copy_to_host(host, memory + 48, 16));
  EXPECT_TRUE(emulator::take_faults().empty());
  const Status status = emulator::copy_to_host(host, memory, 64);
  EXPECT_EQ(status.reason(),
            "read of uninitialised memory in a copy to the host: nobody has written byte 40 of a result");
  const auto faults = emulator::take_faults();
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].to_string(), status.reason());
  EXPECT_EQ(host[63], std::byte{7}) << "what is there is copied all the same";
  emulator::free(memory);
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFaults, ::testing::ValuesIn(planted_faults()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards::testing
