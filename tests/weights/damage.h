#pragma once
// What the fuzzers of weight files share: damage, and what reading a damaged file may cost.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "tests/support/case_scope.h"

namespace cudacards::testing_support {

#ifdef __SANITIZE_ADDRESS__  // which keeps up to 256 MiB of freed memory, to catch who still uses it
inline constexpr std::int64_t kMemoryAllowance = std::int64_t{64 + 256} << 20;
#else
inline constexpr std::int64_t kMemoryAllowance = std::int64_t{64} << 20;
#endif
inline constexpr double kSecondsAllowance = 1.0;

/// Of this process, so that a busy machine is not taken for a hang.
inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

inline std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

/// One to four damages: bits, bytes, digits, pieces of syntax, cuts, repeats, the length in front.
inline std::string damaged(std::string file, std::mt19937& random) {
  const auto below = [&random](std::size_t n) { return n == 0 ? std::size_t{0} : std::size_t{random()} % n; };
  static const std::vector<std::string> kSyntax = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "\\",
                                                   "\\u",
                                                   "\\ud800",
                                                   "-",
                                                   "1e",
                                                   "null",
                                                   "\"F32\"",
                                                   "true",
                                                   "[]",
                                                   "{}",
                                                   "\xff",
                                                   "\"shape\":",
                                                   "9223372036854775807",
                                                   "18446744073709551615",
                                                   "\"__metadata__\":{}",
                                                   "0"};
  for (std::size_t damage = 1 + below(4); damage > 0; --damage) {
    if (file.empty()) return file;
    const std::size_t at = below(file.size());
    switch (below(8)) {
      case 0:
        file[at] = static_cast<char>(file[at] ^ (1 << below(8)));
        break;
      case 1:
        file[at] = static_cast<char>(below(256));
        break;
      case 2:
        file.resize(at);
        break;
      case 3:
        file.insert(at, kSyntax[below(kSyntax.size())]);
        break;
      case 4:
        file.erase(at, 1 + below(16));
        break;
      case 5:
        file.insert(at, file.substr(below(file.size()), 1 + below(64)));
        break;
      case 6:
        file[below(std::min<std::size_t>(8, file.size()))] = static_cast<char>(below(256));
        break;
      default: {
        const std::size_t digit = file.find_first_of("0123456789", at);
        if (digit != std::string::npos) file[digit] = static_cast<char>('0' + below(10));
      }
    }
  }
  return file;
}

enum class Outcome { kRead, kRefused };

/// `count` damaged files: `damage` writes one with the random numbers it is given, `digest` reads it and all in it.
template <class Damage, class Digest>
void fuzz_files(int count, unsigned seed, Damage&& damage, Digest&& digest) {
  int read = 0, refused = 0;
  const std::int64_t peak_before = peak_resident_bytes();
  for (const int i : numbered_cases(count)) {
    const CaseScope scope(i);
    std::seed_seq numbers{seed, static_cast<unsigned>(i)};
    std::mt19937 random(numbers);
    damage(random);
    const double start = cpu_seconds();
    ++(digest() == Outcome::kRead ? read : refused);
    EXPECT_LT(cpu_seconds() - start, kSecondsAllowance);
  }
  EXPECT_LT(peak_resident_bytes() - peak_before, kMemoryAllowance);
  if (!wanted_case().empty()) return;
  EXPECT_GT(read, count / 100) << "the damage must not always be found at the first byte";
  EXPECT_GT(refused, count / 2);
  testing::Test::RecordProperty("read", read);
  testing::Test::RecordProperty("refused", refused);
}

}  // namespace cudacards::testing_support
