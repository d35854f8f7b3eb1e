#include "host/graph/parameters.h"

#include <cmath>
#include <numbers>

#include "host/runtime/threads.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace {

// Two normal numbers from two words (Box and Muller, 1958), in double so that libm's last bit rarely shows in fp32.
std::pair<float, float> normal_pair(std::uint32_t a, std::uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform01(a)));
  const double angle = 2.0 * std::numbers::pi * uniform01(b);
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

void fill_random(std::span<float> values, const ParameterSpec& spec, std::uint64_t seed, std::uint32_t lane) {
  const float limit = static_cast<float>(std::sqrt(6.0 / static_cast<double>(spec.fan_in + spec.fan_out)));
  const float deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(spec.fan_in)));
  const auto quads = static_cast<std::int64_t>((values.size() + 3) / 4);
  parallel_ranges(quads, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t quad = begin; quad < end; ++quad) {
      const Random4 r = random4(seed, RandomPurpose::kInitialise, 0, lane, static_cast<std::uint32_t>(quad));
      float four[4];
      if (spec.initialiser == Initialiser::kGlorotUniform) {
        for (int i = 0; i < 4; ++i) four[i] = (2.0f * uniform01(r.v[i]) - 1.0f) * limit;
      } else {
        const auto [n0, n1] = normal_pair(r.v[0], r.v[1]);
        const auto [n2, n3] = normal_pair(r.v[2], r.v[3]);
        four[0] = n0 * deviation, four[1] = n1 * deviation, four[2] = n2 * deviation, four[3] = n3 * deviation;
      }
      for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t element = static_cast<std::size_t>(quad) * 4 + i;
        if (element < values.size()) values[element] = four[i];
      }
    }
  });
}

// Each parameter starts on a cache line, so that vector loads and threads never share one across parameters.
constexpr std::int64_t kFloatsPerLine = static_cast<std::int64_t>(kAlignment / sizeof(float));

}  // namespace

Parameters::Parameters(const Graph& graph) {
  std::int64_t next = 0;
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    const Layer& layer = graph.layers()[i];
    for (const auto& spec : layer.parameters) {
      const std::int64_t end = next + spec.shape.elements();
      list_.push_back(
          {layer.name + "/" + spec.name, static_cast<int>(i), spec, next, end, layer.trainable && spec.trainable});
      next = (end + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine;
    }
  }
  size_ = next;
  values_ = Buffer(static_cast<std::size_t>(next) * sizeof(float), "the parameters");
}

void Parameters::initialise(std::uint64_t seed) {
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const auto target = values(list_[i]);
    switch (list_[i].spec.initialiser) {
      case Initialiser::kZeros:
        std::fill(target.begin(), target.end(), 0.0f);
        break;
      case Initialiser::kOnes:
        std::fill(target.begin(), target.end(), 1.0f);
        break;
      case Initialiser::kGlorotUniform:
      case Initialiser::kHeNormal:
        fill_random(target, list_[i].spec, seed, static_cast<std::uint32_t>(i));
        break;
    }
  }
  touch();
}

const Parameter* Parameters::find(const std::string& name) const {
  for (const auto& parameter : list_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

std::vector<OptimizerSegment> Parameters::segments() const {
  std::vector<OptimizerSegment> segments;
  for (const auto& p : list_) {
    if (!p.trainable) continue;
    if (!segments.empty() && segments.back().decays == p.spec.decays &&
        p.begin - segments.back().end < kFloatsPerLine) {
      segments.back().end = p.end;  // the padding between them is zero and its gradient too
    } else {
      segments.push_back({p.begin, p.end, p.spec.decays});
    }
  }
  return segments;
}

}  // namespace cudacards
