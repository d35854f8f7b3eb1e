// Numbers as tables and sentences write them.

#include "host/report/table.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace cudacards {
namespace {

TEST(WithCommas, SetsThousandsApart) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(38575157), "38,575,157");
}

TEST(Counted, HasOneThingOrManyThings) {
  EXPECT_EQ(counted(0, "card"), "0 cards");
  EXPECT_EQ(counted(1, "card"), "1 card");
  EXPECT_EQ(counted(7624, "picture"), "7,624 pictures");
}

}  // namespace
}  // namespace cudacards
