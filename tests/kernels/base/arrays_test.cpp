// What launchers say of the arrays that they are given.

#include "kernels/base/arrays.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace cudacards {
namespace {

alignas(16) const std::byte kMemory[32] = {};

TEST(CheckArrays, AcceptsAlignedArraysAndNullWhereItIsOptional) {
  EXPECT_TRUE(check_arrays("f", {{"src", kMemory}, {"dst", kMemory + 16}}, {{"bias", nullptr}}));
  EXPECT_TRUE(check_arrays("f", {{"labels", kMemory + 4, 4}}));
}

TEST(CheckArrays, NamesTheFunctionAndTheArray) {
  EXPECT_EQ(check_arrays("f", {{"src", kMemory}, {"dst", nullptr}}).reason(), "f: dst must be given");
  EXPECT_EQ(check_arrays("f", {{"src", kMemory + 8}}).reason(), "f: src must be 16-byte aligned");
  EXPECT_EQ(check_arrays("f", {{"labels", kMemory + 2, 4}}).reason(), "f: labels must be 4-byte aligned");
  EXPECT_EQ(check_arrays("f", {{"src", kMemory}}, {{"bias", kMemory + 4}}).reason(), "f: bias must be 16-byte aligned");
}

}  // namespace
}  // namespace cudacards
