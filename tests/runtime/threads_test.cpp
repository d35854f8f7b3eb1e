// Work is done once an item, counted in order, and stopped by what it throws.

#include "host/runtime/threads.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "tests/support/scoped_threads.h"

namespace cudacards {
namespace {

using testing::ScopedThreads;

TEST(ParallelItems, DoesEachItemOnceAndCountsThem) {
  for (const int count : {1, 2, 3}) {
    const ScopedThreads some(count);
    std::vector<int> times(100);
    std::int64_t last = 0;
    const auto in_order = [&](std::int64_t done, std::int64_t all) {
      EXPECT_EQ(done, ++last);
      EXPECT_EQ(all, 100);
    };
    parallel_items(100, in_order, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
    EXPECT_EQ(last, 100);
    EXPECT_EQ(times, std::vector<int>(100, 1));
  }
}

TEST(ParallelItems, OfNoItemsDoesNothing) {
  parallel_items(0, {}, [](std::int64_t) { FAIL(); });
}

TEST(ParallelItems, StopsWhereProgressThrows) {
  const ScopedThreads two(2);
  std::int64_t last = 0;
  const auto stop_at_ten = [&](std::int64_t done, std::int64_t) {
    last = done;
    if (done >= 10) throw std::runtime_error("enough");
  };
  EXPECT_THROW(parallel_items(1'000'000, stop_at_ten, [](std::int64_t) {}), std::runtime_error);
  EXPECT_LE(last, 11) << "the other thread ends with the item that it has in hand";
}

TEST(ParallelItems, StopsWhereAnItemThrows) {
  const ScopedThreads one(1);
  std::int64_t items = 0;
  const auto fail_at_ten = [&](std::int64_t i) {
    ++items;
    if (i == 10) throw std::runtime_error("enough");
  };
  EXPECT_THROW(parallel_items(1'000'000, {}, fail_at_ten), std::runtime_error);
  EXPECT_EQ(items, 11);
}

}  // namespace
}  // namespace cudacards
