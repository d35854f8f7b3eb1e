#include "bench/support/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cudacards::bench {
namespace {

constexpr std::int64_t kWhole = 1 << 22;  // elements; tensors up to this are taken whole
constexpr std::int64_t kPieces = 64, kPiece = kWhole / kPieces;

void append(std::vector<float>& values, Device& device, const Tensor& tensor, std::int64_t begin, std::int64_t count) {
  const std::size_t size = size_of(tensor.desc.type);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  device.download(bytes.data(), static_cast<const std::byte*>(tensor.data) + static_cast<std::size_t>(begin) * size,
                  bytes.size());
  const std::size_t before = values.size();
  values.resize(before + static_cast<std::size_t>(count));
  if (tensor.desc.type == DType::kF32) {
    std::memcpy(values.data() + before, bytes.data(), bytes.size());
    return;
  }
  const auto* narrow = reinterpret_cast<const Bf16*>(bytes.data());
  std::transform(narrow, narrow + count, values.begin() + static_cast<std::ptrdiff_t>(before),
                 [](Bf16 x) { return static_cast<float>(x); });
}

double root_mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += static_cast<double>(x) * x;
  return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(values.size(), 1)));
}

}  // namespace

std::vector<Sample> sampled(Device& device, const std::vector<Tensor>& results) {
  std::vector<Sample> samples;
  for (const Tensor& tensor : results) {
    Sample& sample = samples.emplace_back(tensor.name, tensor.desc.shape.elements());
    const bool whole = sample.elements <= kWhole;
    sample.piece = whole ? sample.elements : kPiece;
    const std::int64_t pieces = whole ? 1 : kPieces;
    for (std::int64_t i = 0; i < pieces; ++i) {
      sample.begin.push_back(pieces == 1 ? 0 : (sample.elements - kPiece) * i / (pieces - 1));
      append(sample.values, device, tensor, sample.begin.back(), sample.piece);
    }
  }
  return samples;
}

double tolerance_of(Precision precision) {
  // What is stored in bf16 has 8 bits, and a chain of operations rounds more than once. Whole numbers are tf32 numbers.
  return precision == Precision::kBf16 ? std::ldexp(1.0, -6) : std::ldexp(1.0, -10);
}

std::string disagreement(const std::vector<Sample>& got, const std::vector<Sample>& expected, double tolerance,
                         const std::string& judge) {
  if (got.size() != expected.size())
    return fmt::format("{} results where {} has {}", got.size(), judge, expected.size());
  for (std::size_t t = 0; t < got.size(); ++t) {
    const std::vector<float>&a = got[t].values, &b = expected[t].values;
    if (a.size() != b.size()) return fmt::format("{}: another size than {}'s", got[t].name, judge);
    const double common = root_mean_square(b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double apart = std::abs(static_cast<double>(a[i]) - b[i]);
      if (std::isfinite(apart) && apart <= tolerance * (std::abs(static_cast<double>(b[i])) + common)) continue;
      const auto piece = static_cast<std::size_t>(static_cast<std::int64_t>(i) / got[t].piece);
      return fmt::format("{}[{}] is {} where {} has {}", got[t].name,
                         got[t].begin[piece] + static_cast<std::int64_t>(i) % got[t].piece, a[i], judge, b[i]);
    }
  }
  return "";
}

}  // namespace cudacards::bench
