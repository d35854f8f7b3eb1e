// Damaged TensorFlow.js models: each is read or refused, none crashes, hangs or costs more memory than its files and
// 64 MiB.

#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>

#include "host/runtime/error.h"
#include "tests/support/case_scope.h"
#include "tests/weights/damage.h"
#include "tests/weights/tfjs_files.h"
#include "weights/tfjs.h"

namespace cudacards {
namespace {

using testing_support::bytes_of;
using testing_support::CaseScope;
using testing_support::cpu_seconds;
using testing_support::damaged;
using testing_support::fuzz_files;
using testing_support::kMemoryAllowance;
using testing_support::kSecondsAllowance;
using testing_support::numbered_cases;
using testing_support::Outcome;
using testing_support::peak_resident_bytes;
using testing_support::TemporaryFolder;
using testing_support::tfjs_json;
using testing_support::write_bytes;
using testing_support::write_tfjs;

Outcome digest(const std::string& path) {
  try {
    const auto source = open_tfjs(path);
    for (const SourceTensor& tensor : source->tensors()) {
      EXPECT_EQ(source->find(tensor.name), &tensor);
      try {
        EXPECT_EQ(source->read_finite(tensor).size(), tensor.elements);
      } catch (const Error&) {
      }
    }
    return Outcome::kRead;
  } catch (const Error&) {
    return Outcome::kRefused;
  }
}

std::string valid_json() {
  return tfjs_json(
      R"({"name":"Conv1/kernel","shape":[1,1,2,2],"dtype":"float32"},)"
      R"({"name":"q","shape":[4],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1.25e0}},)"
      R"({"name":"\u0062","shape":[],"dtype":"int32"},{"name":"none","shape":[0],"dtype":"bool"})",
      R"(["1.bin","2.bin"])");
}

void fuzz(int count, unsigned seed) {
  const TemporaryFolder folder;
  const std::string valid = valid_json();
  const std::string path =
      write_tfjs(folder, valid, {{"1.bin", bytes_of({1.0f, 2.0f, 3.0f})}, {"2.bin", std::string(12, '\1')}});
  ASSERT_EQ(digest(path), Outcome::kRead);
  fuzz_files(
      count, seed, [&](std::mt19937& random) { write_bytes(path, damaged(valid, random)); },
      [&] { return digest(path); });
}

TEST(TfjsFuzz, TwoThousandDamagedFiles) { fuzz(2'000, 1); }
TEST(TfjsFuzzLong, TenThousandDamagedFiles) { fuzz(10'000, 2); }

TEST(TfjsFuzz, EveryCutOfTheJson) {
  const TemporaryFolder folder;
  const std::string valid = valid_json();
  const std::string path =
      write_tfjs(folder, valid, {{"1.bin", std::string(12, '\1')}, {"2.bin", std::string(12, '\1')}});
  for (const int size : numbered_cases(static_cast<int>(valid.size()))) {
    const CaseScope scope(size);
    write_bytes(path, valid.substr(0, static_cast<std::size_t>(size)));
    EXPECT_EQ(digest(path), Outcome::kRefused);
  }
}

/// The longest text that is accepted, filled with what costs most.
struct Bomb {
  const char* name;
  const char* begin;
  const char* repeated;
  const char* end;
  friend void PrintTo(const Bomb& bomb, std::ostream* out) { *out << bomb.name; }
};

class TfjsBomb : public testing::TestWithParam<Bomb> {};

TEST_P(TfjsBomb, CostsLittleMemoryAndTime) {
  const Bomb& bomb = GetParam();
  const TemporaryFolder folder;
  std::int64_t file_bytes = 0;
  {
    constexpr std::size_t kLength = std::size_t{8} << 20;
    std::string json = bomb.begin;
    json.reserve(kLength);
    while (json.size() + std::string_view(bomb.repeated).size() + 64 < kLength) json += bomb.repeated;
    json += bomb.end;
    file_bytes = static_cast<std::int64_t>(json.size());
    write_bytes(folder / "model.json", json);
  }
  // In a process of its own, because a peak of memory never comes down again.
  EXPECT_EXIT(
      {
        const std::int64_t before = peak_resident_bytes();
        const double start = cpu_seconds();
        (void)digest(folder / "model.json");
        const double seconds = cpu_seconds() - start;
        const std::int64_t grown = peak_resident_bytes() - before;
        std::fprintf(stderr, "%.3f s, %.1f MB above\n", seconds, static_cast<double>(grown) / 1e6);
        std::exit(grown <= file_bytes + kMemoryAllowance && seconds < kSecondsAllowance ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, TfjsBomb,
    testing::Values(
        Bomb{"Topology", R"({"modelTopology":[0)", ",{\"a\":0}", R"(],"weightsManifest":[]})"},
        Bomb{"OneHugeString", R"({"modelTopology":")", "ssssssssssssssss", R"("})"},
        Bomb{"OneHugeName", R"({"weightsManifest":[{"weights":[{"name":")", "nnnnnnnnnnnnnnnn", R"("}]}]})"},
        Bomb{"Groups", R"({"weightsManifest":[{"paths":[],"weights":[]})", R"(,{"paths":[],"weights":[]})", "]}"},
        Bomb{"Tensors", R"({"weightsManifest":[{"paths":[],"weights":[{"name":"a","shape":[0],"dtype":"bool"})",
             R"(,{"name":"a","shape":[0],"dtype":"bool"})", "]}]}"},
        Bomb{"Brackets", R"({"a":)", "[[[[[[[[[[[[[[[[", "}"}, Bomb{"Digits", R"({"a":)", "1111111111111111", "}"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards
