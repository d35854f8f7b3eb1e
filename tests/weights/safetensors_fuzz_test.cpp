// Damaged files of all kinds: each is read or refused, none crashes, hangs or costs more memory than its own size and
// 64 MiB.

#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>
#include <random>

#include "host/runtime/error.h"
#include "tests/support/case_scope.h"
#include "tests/support/temporary_folder.h"
#include "tests/weights/damage.h"
#include "tests/weights/raw_file.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing_support::CaseScope;
using testing_support::cpu_seconds;
using testing_support::damaged;
using testing_support::fuzz_files;
using testing_support::kMemoryAllowance;
using testing_support::kSecondsAllowance;
using testing_support::numbered_cases;
using testing_support::Outcome;
using testing_support::peak_resident_bytes;
using testing_support::raw_safetensors;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

/// Opens the file and looks at everything in it, as a program would.
Outcome digest(const std::string& path) {
  try {
    const auto file = SafetensorsFile::open(path);
    for (const TensorView& tensor : file.tensors()) {
      EXPECT_EQ(file.find(tensor.name), &tensor);
      std::int64_t elements = 1;
      for (const std::int64_t size : tensor.shape) elements *= size;
      EXPECT_EQ(tensor.bytes.size(), static_cast<std::size_t>(elements) * size_of(tensor.type));
      try {
        (void)file.read_floats(tensor.name, tensor.shape);
      } catch (const Error&) {
      }
    }
    return Outcome::kRead;
  } catch (const Error&) {
    return Outcome::kRefused;
  }
}

std::string valid_file(const TemporaryFolder& folder) {
  const std::vector<float> values(24, 0.5f);
  const std::vector<std::uint8_t> bytes(7, 9);
  const std::string path = folder / "valid";
  write_safetensors(path,
                    {float_tensor("conv2d/weights", {2, 3, 4}, values),
                     float_tensor("dense/bias", {24}, values),
                     float_tensor("none", {0}, {}),
                     {"pixels", SafetensorsType::kU8, {7}, std::as_bytes(std::span(bytes))}},
                    {{"arch", "cnn"}, {"classes", "[\"ace of clubs\",\"\\u00e9\"]"}, {"note", "a\nb\"\\"}});
  return read_bytes(path);
}

std::string damaged_file(std::string file, std::mt19937& random) {
  file = damaged(std::move(file), random);
  // Half of them with a length that fits again, so that the damage behind it is reached.
  if (file.size() > 8 && random() % 2 == 0) {
    const std::size_t end = file.rfind('}');
    if (end != std::string::npos && end > 8) file = raw_safetensors(file.substr(8, end - 7), file.substr(end + 1));
  }
  return file;
}

void fuzz(int count, unsigned seed) {
  const TemporaryFolder folder;
  const std::string valid = valid_file(folder);
  const std::string path = folder / "damaged";
  fuzz_files(
      count, seed, [&](std::mt19937& random) { write_bytes(path, damaged_file(valid, random)); },
      [&] { return digest(path); });
}

TEST(SafetensorsFuzz, TwoThousandDamagedFiles) { fuzz(2'000, 1); }
TEST(SafetensorsFuzzLong, TenThousandDamagedFiles) { fuzz(10'000, 2); }

TEST(SafetensorsFuzz, EveryCutOfAFile) {
  const TemporaryFolder folder;
  const std::string valid = valid_file(folder);
  const std::string path = folder / "cut";
  for (const int size : numbered_cases(static_cast<int>(valid.size()))) {
    const CaseScope scope(size);
    write_bytes(path, valid.substr(0, static_cast<std::size_t>(size)));
    EXPECT_EQ(digest(path), Outcome::kRefused);
  }
  write_bytes(path, valid);
  EXPECT_EQ(digest(path), Outcome::kRead);
}

TEST(SafetensorsFuzz, EveryByteChanged) {
  const TemporaryFolder folder;
  const std::string valid = valid_file(folder);
  const std::string path = folder / "changed";
  for (const int position : numbered_cases(static_cast<int>(valid.size()))) {
    const CaseScope scope(position);
    const auto at = static_cast<std::size_t>(position);
    for (const char mask : {'\x01', '\x20', '\x7f'}) {
      std::string changed = valid;
      changed[at] = static_cast<char>(changed[at] ^ mask);
      write_bytes(path, changed);
      (void)digest(path);
    }
  }
}

/// Headers of the greatest length that is accepted, filled with what costs most.
struct Bomb {
  const char* name;
  const char* begin;
  const char* repeated;
  const char* end;
  friend void PrintTo(const Bomb& bomb, std::ostream* out) { *out << bomb.name; }
};

class SafetensorsBomb : public testing::TestWithParam<Bomb> {};

TEST_P(SafetensorsBomb, CostsLittleMemoryAndTime) {
  const Bomb& bomb = GetParam();
  const TemporaryFolder folder;
  const std::string path = folder / "bomb";
  std::int64_t file_bytes = 0;
  {
    constexpr std::size_t kLength = SafetensorsLimits::kHeaderBytes;
    const std::string_view repeated = bomb.repeated;
    std::string json = bomb.begin;
    json.reserve(kLength);
    while (json.size() + repeated.size() + 64 < kLength) json += repeated;
    json += bomb.end;
    file_bytes = static_cast<std::int64_t>(json.size()) + 8;
    write_bytes(path, raw_safetensors(json, ""));
  }
  // In a process of its own, because a peak of memory never comes down again.
  EXPECT_EXIT(
      {
        const std::int64_t before = peak_resident_bytes();
        const double start = cpu_seconds();
        (void)digest(path);
        const double seconds = cpu_seconds() - start;
        const std::int64_t grown = peak_resident_bytes() - before;
        std::fprintf(stderr, "%.3f s, %.1f MB above\n", seconds, static_cast<double>(grown) / 1e6);
        std::exit(grown <= file_bytes + kMemoryAllowance && seconds < kSecondsAllowance ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsBomb,
                         testing::Values(Bomb{"OneHugeName", R"({")", "nnnnnnnnnnnnnnnn", R"(":{}})"},
                                         Bomb{"OneHugeEscapedName", R"({")", R"(\u0041)", R"(":{}})"},
                                         Bomb{"OneHugeMetadataValue", R"({"__metadata__":{"k":")", "vvvvvvvvvvvvvvvv",
                                              R"("}})"},
                                         Bomb{"Spaces", "{", "                ", "}"},
                                         Bomb{"Brackets", R"({"a":{"shape":[)", "[[[[[[[[[[[[[[[[", ""},
                                         Bomb{"Digits", R"({"a":{"shape":[)", "1111111111111111", "]}}"},
                                         Bomb{"Sizes", R"({"a":{"shape":[0)", ",1,1,1,1,1,1,1,1", "]}}"},
                                         Bomb{"Backslashes", R"({")", R"(\\\\\\\\\\\\\\\\)", R"(":{}})"},
                                         Bomb{"SameTensorName", "{",
                                              R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)", R"("a":{}})"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards
