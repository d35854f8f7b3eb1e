#pragma once
// Convolutions for the kernels' tests: one table of problems, inputs of two kinds, results in double.

#include <string>
#include <vector>

#include "host/ops/reference/conv2d.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/support/compare.h"

namespace cudacards::testing {

enum class Conv2dRun : std::uint8_t { kEveryVariant, kBest };

struct Conv2dCase {
  std::string name;
  Conv2dProblem problem;
  Conv2dRun run = Conv2dRun::kEveryVariant;
};

/// Every edge that the kernels have: tiles are 128 or 64 pixels by 128, 64 or 32 filters, slabs 32 or 8 deep, chunks 8
/// or 4 channels.
inline const std::vector<Conv2dCase>& conv2d_cases() {
  static const std::vector<Conv2dCase> cases = {
      {"one", {.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1}},
      {"exact_tile", {.n = 1, .h = 8, .w = 16, .c = 32, .k = 64, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"tile_and_one", {.n = 1, .h = 3, .w = 43, .c = 8, .k = 65, .r = 1, .s = 1}},
      {"many_slabs", {.n = 1, .h = 5, .w = 6, .c = 72, .k = 16, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"ragged", {.n = 3, .h = 9, .w = 11, .c = 40, .k = 72, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"expand", {.n = 2, .h = 7, .w = 7, .c = 16, .k = 96, .r = 1, .s = 1}},
      {"project", {.n = 2, .h = 7, .w = 7, .c = 96, .k = 24, .r = 1, .s = 1}},
      {"first_layer", {.n = 1, .h = 12, .w = 13, .c = 3, .k = 32, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"valid", {.n = 2, .h = 10, .w = 9, .c = 32, .k = 32, .r = 3, .s = 3}},
      {"stride2_after",
       {.n = 2, .h = 14, .w = 12, .c = 24, .k = 40, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad = {0, 0, 1, 1}}},
      {"stride2_odd",
       {.n = 1, .h = 15, .w = 13, .c = 16, .k = 8, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad = {1, 1, 1, 1}}},
      {"stride2_one_tap", {.n = 2, .h = 7, .w = 8, .c = 8, .k = 16, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}},
      {"stride_of_columns",
       {.n = 1, .h = 6, .w = 9, .c = 8, .k = 8, .r = 2, .s = 4, .stride_h = 1, .stride_w = 2, .pad = {0, 2, 1, 1}}},
      {"stride_of_rows",
       {.n = 1, .h = 9, .w = 5, .c = 5, .k = 6, .r = 5, .s = 1, .stride_h = 2, .stride_w = 1, .pad = {2, 0, 1, 0}}},
      {"seven",
       {.n = 1, .h = 11, .w = 10, .c = 3, .k = 8, .r = 7, .s = 7, .stride_h = 2, .stride_w = 2, .pad = {3, 3, 3, 3}}},
      {"pad_top", {.n = 1, .h = 4, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {2, 0, 0, 0}}},
      {"pad_left", {.n = 1, .h = 4, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {0, 2, 0, 0}}},
      {"pad_bottom", {.n = 1, .h = 4, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {0, 0, 2, 0}}},
      {"pad_right", {.n = 1, .h = 4, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {0, 0, 0, 2}}},
      {"one_channel", {.n = 2, .h = 5, .w = 6, .c = 1, .k = 12, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"classes", {.n = 2, .h = 3, .w = 3, .c = 32, .k = 53, .r = 1, .s = 1}},
      {"from_classes", {.n = 1, .h = 4, .w = 4, .c = 53, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
      {"primes", {.n = 2, .h = 7, .w = 11, .c = 13, .k = 17, .r = 3, .s = 5, .pad = {1, 2, 0, 1}}},
  };
  return cases;
}

using Doubles = std::vector<double>;

/// A hash of (seed, i): the same values on every machine.
inline std::uint32_t scrambled(std::uint32_t seed, std::size_t i) {
  std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761u + seed * 40503u + 1;
  x = (x ^ (x >> 15)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}
/// -3 ... 3: every sum is exact in fp32.
inline Doubles integers(std::uint32_t seed, std::int64_t count) {
  Doubles values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(scrambled(seed, i) % 7) - 3;
  return values;
}
/// In [-1, 1), of `type`.
inline Doubles fractions(std::uint32_t seed, std::int64_t count, DType type) {
  Doubles values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = static_cast<float>(scrambled(seed, i) >> 8) / 8388608.0f - 1.0f;
    values[i] = static_cast<double>(type == DType::kBf16 ? static_cast<float>(Bf16(x)) : x);
  }
  return values;
}

template <class T>
constexpr DType kTypeOf = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

template <class T>
std::vector<T> stored(const Doubles& values) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = T(static_cast<float>(values[i]));
  return result;
}
template <class T>
std::vector<float> floats(const std::vector<T>& values) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = static_cast<float>(values[i]);
  return result;
}
inline Doubles magnitudes(Doubles values) {
  for (double& x : values) x = x < 0 ? -x : x;
  return values;
}

/// A kernel and how it is told to run.
struct Conv2dVariant {
  const char* name;
  DType type;
  Conv2dChoice choice;
};
inline std::vector<Conv2dVariant> conv2d_gemm_variants() {
  return {{"fp32", DType::kF32, {}},
          {"bf16_simt", DType::kBf16, {.path = Conv2dPath::kSimt}},
          {"bf16_128x128", DType::kBf16, {.path = Conv2dPath::kTensor, .tile = Conv2dTile::k128x128}},
          {"bf16_128x64", DType::kBf16, {.path = Conv2dPath::kTensor, .tile = Conv2dTile::k128x64}},
          {"bf16_64x32", DType::kBf16, {.path = Conv2dPath::kTensor, .tile = Conv2dTile::k64x32}}};
}
/// Those that a case runs, `halo` among them where it can.
inline std::vector<Conv2dVariant> conv2d_variants(const Conv2dCase& c, bool halo) {
  auto variants = conv2d_gemm_variants();
  if (c.run == Conv2dRun::kBest) variants.resize(1);  // fp32 has one
  variants.push_back({"best", DType::kBf16, {}});
  if (halo && c.run == Conv2dRun::kEveryVariant)
    variants.push_back({"halo", DType::kBf16, {.path = Conv2dPath::kHalo}});
  return variants;
}
/// The convolutions of all models, with the kernels that they get.
inline std::vector<Conv2dCase> conv2d_cases_of_models() {
  return cases_of_models(model_problems().conv2d, [](const auto& named) {
    return Conv2dCase{named.name, named.problem, Conv2dRun::kBest};
  });
}

/// The problem of the traffic tests: whole tiles, whole slabs, whole sectors.
constexpr Conv2dProblem kWellShaped = {.n = 1, .h = 8, .w = 32, .c = 64, .k = 128, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};

}  // namespace cudacards::testing
