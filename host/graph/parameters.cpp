#include "host/graph/parameters.h"

#include <cmath>
#include <utility>

#include "host/runtime/threads.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace {

void fill_glorot_uniform(std::span<float> values, const ParameterSpec& spec, std::uint64_t seed, std::uint32_t lane) {
  const auto limit = static_cast<float>(std::sqrt(6.0 / static_cast<double>(spec.fan_in + spec.fan_out)));
  const auto quads = static_cast<std::int64_t>((values.size() + 3) / 4);
  parallel_ranges(quads, [&](std::int64_t begin, std::int64_t end, int) {
    for (auto quad = static_cast<std::size_t>(begin); quad < static_cast<std::size_t>(end); ++quad) {
      const Random4 r = random4(seed, RandomPurpose::kInitialise, 0, lane, static_cast<std::uint32_t>(quad));
      for (std::size_t i = 0; i < 4 && quad * 4 + i < values.size(); ++i) {
        values[quad * 4 + i] = (2.0f * uniform01(r.v[i]) - 1.0f) * limit;
      }
    }
  });
}

// Each parameter starts on a cache line, so that vector loads and threads never share one across parameters.
constexpr std::int64_t kFloatsPerLine = static_cast<std::int64_t>(kAlignment / sizeof(float));

struct Layout {
  std::vector<Parameter> list;
  std::int64_t size = 0;
};

Layout lay_out(const Graph& graph) {
  Layout layout;
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    const Layer& layer = graph.layers()[i];
    for (const auto& spec : layer.parameters) {
      const std::int64_t end = layout.size + spec.shape.elements();
      layout.list.push_back({layer.name + "/" + spec.name, static_cast<int>(i), spec, layout.size, end,
                             layer.trainable && spec.trainable, layer.trainable, layer.rate_scale});
      layout.size = (end + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine;
    }
  }
  return layout;
}

}  // namespace

Parameters::Parameters(const Graph& graph) {
  Layout layout = lay_out(graph);
  list_ = std::move(layout.list);
  size_ = layout.size;
  values_ = Buffer(static_cast<std::size_t>(size_) * sizeof(float), "the parameters");
}

std::int64_t Parameters::size_of(const Graph& graph) { return lay_out(graph).size; }

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
        fill_glorot_uniform(target, list_[i].spec, seed, static_cast<std::uint32_t>(i));
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

std::vector<OptimizerSegment> Parameters::segments(MovingAverage average) const {
  std::vector<OptimizerSegment> segments;
  for (const auto& p : list_) {
    if (!(average == MovingAverage::kKept ? p.moves : p.trainable)) continue;
    const OptimizerSegment next = {p.begin, p.end, p.trainable && p.spec.decays, p.trainable ? p.rate_scale : 0.0f};
    if (!segments.empty() && segments.back().decays == next.decays && segments.back().rate_scale == next.rate_scale &&
        next.begin - segments.back().end < kFloatsPerLine) {
      segments.back().end = next.end;  // the padding between them is zero and its gradient too
    } else {
      segments.push_back(next);
    }
  }
  return segments;
}

}  // namespace cudacards
