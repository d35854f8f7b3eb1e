// The memory that is free is the least of what the system and all groups above the process say. Files in /proc and /sys
// are played by a folder.

#include "host/runtime/memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing_support::TemporaryFolder;

constexpr std::size_t kMebi = std::size_t{1} << 20;

class FreeMemory : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    testing_support::write_bytes(path, text);
  }
  void put_group(const std::string& folder, const std::string& limit, std::size_t used, std::size_t cache) {
    put(folder + "/memory.max", limit + "\n");
    put(folder + "/memory.current", std::to_string(used) + "\n");
    put(folder + "/memory.stat", "anon 1\ninactive_file " + std::to_string(cache) + "\nactive_file 77\n");
  }
  std::optional<std::size_t> found() const { return free_memory(folder_.path()); }

  TemporaryFolder folder_;
};

TEST_F(FreeMemory, IsUnknownWhereNothingSaysIt) { EXPECT_EQ(found(), std::nullopt); }

TEST_F(FreeMemory, IsWhatTheSystemCallsAvailable) {
  put("proc/meminfo", "MemTotal:  8192 kB\nMemFree:  1024 kB\nMemAvailable:  4096 kB\n");
  EXPECT_EQ(found(), 4 * kMebi);
}

TEST_F(FreeMemory, EndsAtTheLimitOfAContainer) {
  put("proc/meminfo", "MemAvailable:  999999999 kB\n");
  put("proc/self/cgroup", "0::/\n");
  put_group("sys/fs/cgroup", std::to_string(100 * kMebi), 60 * kMebi, 20 * kMebi);
  EXPECT_EQ(found(), 60 * kMebi) << "the file cache is given back";
  put("proc/meminfo", "MemAvailable:  1024 kB\n");
  EXPECT_EQ(found(), kMebi) << "the machine has less than the container may take";
}

TEST_F(FreeMemory, EndsAtTheTightestGroupAbove) {
  put("proc/self/cgroup", "12:cpu:/elsewhere\n0::/user/job/step\n");
  put_group("sys/fs/cgroup/user/job/step", "max", 0, 0);
  put_group("sys/fs/cgroup/user/job", std::to_string(50 * kMebi), 20 * kMebi, 0);
  put_group("sys/fs/cgroup/user", std::to_string(90 * kMebi), 30 * kMebi, 0);
  put_group("sys/fs/cgroup/elsewhere", std::to_string(kMebi), 0, 0);
  EXPECT_EQ(found(), 30 * kMebi);
}

TEST_F(FreeMemory, KnowsVersionOneOfControlGroups) {
  put("proc/self/cgroup", "4:cpu,memory:/job\n0::/\n");
  put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(10 * kMebi));
  put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(7 * kMebi));
  put("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 5\ntotal_inactive_file " + std::to_string(kMebi) + "\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1");
  EXPECT_EQ(found(), 4 * kMebi);
}

TEST_F(FreeMemory, IsNothingWhereALimitIsExceeded) {
  put("proc/self/cgroup", "0::/../host/path\n");
  put_group("sys/fs/cgroup", std::to_string(kMebi), 2 * kMebi, 0);
  EXPECT_EQ(found(), 0u);
}

TEST(FreeMemoryOfThisMachine, IsKnown) { EXPECT_GT(free_memory().value_or(0), kMebi); }

}  // namespace
}  // namespace cudacards
