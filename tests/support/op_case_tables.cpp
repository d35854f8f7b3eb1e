// The tables behind cases_of().

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/philox.h"
#include "models/registry.h"
#include "tests/support/model_layers.h"
#include "tests/support/op_case.h"

namespace cudacards::testing {
namespace {

using Op = std::shared_ptr<const Operation>;

OpFamily family_of(const Operation& op) {
  if (dynamic_cast<const Conv2d*>(&op)) return OpFamily::kConv2d;
  if (dynamic_cast<const Dense*>(&op)) return OpFamily::kDense;
  if (dynamic_cast<const MaxPool2d*>(&op)) return OpFamily::kMaxPool;
  if (dynamic_cast<const GlobalAveragePool2d*>(&op)) return OpFamily::kGlobalAveragePool;
  if (dynamic_cast<const Softmax*>(&op)) return OpFamily::kSoftmax;
  if (dynamic_cast<const Dropout*>(&op)) return OpFamily::kDropout;
  if (dynamic_cast<const Add*>(&op)) return OpFamily::kAdd;
  if (dynamic_cast<const BatchNorm*>(&op)) return OpFamily::kBatchNorm;
  return OpFamily::kActivation;
}

OpCase make_case(Op op, std::vector<Shape> src, DType type, DType dst_type, GradMode diff_src = GradMode::kOverwrite,
                 Factors factors = Factors::kExact) {
  std::string description = name_of(family_of(*op));
  if (const std::string options = op->options_text(); !options.empty()) description += " " + options;
  for (const Shape& shape : src) description += " " + shape.to_string();
  description += fmt::format(" {}", name_of(type));
  if (dst_type != type) description += fmt::format(" to {}", name_of(dst_type));
  if (diff_src == GradMode::kIgnore) description += " first layer";
  if (factors == Factors::kTf32) description += " in tf32";
  return {.operation = std::move(op),
          .src = std::move(src),
          .type = type,
          .dst_type = dst_type,
          .diff_src = diff_src,
          .factors = factors,
          .description = std::move(description)};
}

struct Table {
  OpFamily family;
  std::vector<OpCase> cases;

  void add(const Op& op, const std::vector<Shape>& src) {
    if (family_of(*op) != family) return;
    push(make_case(op, src, DType::kF32, DType::kF32));
    push(make_case(op, src, DType::kBf16, DType::kBf16));
    push(make_case(op, src, DType::kBf16, DType::kF32));
    if (family == OpFamily::kConv2d || family == OpFamily::kDense)
      push(make_case(op, src, DType::kF32, DType::kF32, GradMode::kOverwrite, Factors::kTf32));
    const bool reads_pictures = family == OpFamily::kConv2d && src[0][3] <= 3;
    if (!reads_pictures) return;
    for (const DType type : {DType::kF32, DType::kBf16}) push(make_case(op, src, type, type, GradMode::kIgnore));
  }

 private:
  /// A deep model repeats its layers: each problem once.
  void push(OpCase c) {
    const auto is_same = [&](const OpCase& other) { return other.description == c.description; };
    if (std::none_of(cases.begin(), cases.end(), is_same)) cases.push_back(std::move(c));
  }
};

void add_model(Table& table, const ModelEntry& model) {
  ModelSpec spec{.height = 24, .width = 24, .classes = 53};
  if (model.has_widths_and_heads) spec.width_multiplier = 0.35f;
  const Graph graph = model.build(spec);
  for (const ModelLayer& layer : layers_of(graph, 2)) table.add(layer.operation, layer.src);
}

template <class T, class... Args>
Op make(Args&&... args) {
  return std::make_shared<const T>(std::forward<Args>(args)...);
}

void add_conv2d_edges(Table& t) {
  constexpr auto kNone = Activation::kNone;
  const auto conv = [](const Conv2dOptions& o, std::optional<Pool2dOptions> pool = std::nullopt) {
    return make<Conv2d>(o, pool);
  };
  t.add(conv({.filters = 1, .kernel = 1}), {{1, 1, 1, 1}});                                       // one element
  t.add(conv({.filters = 16, .kernel = 3, .activation = Activation::kRelu}), {{1, 16, 16, 16}});  // exact tiles
  t.add(conv({.filters = 17, .kernel = 3, .activation = Activation::kRelu}), {{1, 17, 17, 17}});  // a tile and one
  t.add(conv({.filters = 53, .kernel = 3}), {{3, 11, 7, 53}});                                    // ragged everywhere
  t.add(conv({.filters = 7, .kernel = {5, 2}, .stride = {2, 1}}), {{2, 13, 10, 3}});              // rows unlike columns
  t.add(conv({.filters = 8, .kernel = 3, .stride = 2}), {{2, 8, 8, 3}});  // pads after, not before
  t.add(conv({.filters = 8, .kernel = 3, .stride = 2}), {{2, 9, 9, 3}});  // pads both
  t.add(conv({.filters = 8, .kernel = 3, .stride = 3, .padding = Padding::kValid}),
        {{1, 11, 11, 5}});                                                               // leaves a row over
  t.add(conv({.filters = 5, .kernel = 7, .padding = Padding::kValid}), {{2, 7, 7, 2}});  // window = picture
  t.add(conv({.filters = 6, .kernel = 7}), {{1, 3, 3, 2}});                   // padding larger than the picture
  t.add(conv({.filters = 12, .kernel = 1, .bias = false}), {{2, 6, 6, 24}});  // pointwise
  // Few channels to many and back, by hand: chunks of 64 pixels, tiles of 8 pixels or channels by 3 vectors.
  t.add(conv({.filters = 48, .kernel = 1, .bias = false}), {{2, 7, 5, 8}});
  t.add(conv({.filters = 112, .kernel = 1, .activation = Activation::kRelu6}), {{1, 3, 3, 11}});
  t.add(conv({.filters = 16, .kernel = 1, .activation = Activation::kRelu}), {{1, 13, 11, 16}});
  t.add(conv({.filters = 8, .kernel = 1, .bias = false}), {{2, 7, 5, 48}});
  t.add(conv({.filters = 19, .kernel = 1}), {{1, 9, 8, 80}});
  t.add(conv({.filters = 13, .kernel = 1, .stride = 2, .activation = Activation::kRelu6}), {{2, 7, 7, 11}});
  t.add(conv({.filters = 24, .kernel = 3, .groups = 24, .bias = false}), {{2, 7, 7, 24}});  // depthwise
  t.add(conv({.filters = 19, .kernel = 3, .stride = 2, .groups = 19, .activation = Activation::kRelu6}),
        {{2, 8, 8, 19}});
  // Whole vectors of channels: every padding, a single pixel, a bias and none.
  t.add(conv({.filters = 48, .kernel = 3, .groups = 48, .bias = false}), {{3, 7, 5, 48}});
  t.add(conv({.filters = 32, .kernel = 3, .groups = 32}), {{1, 1, 1, 32}});
  t.add(conv({.filters = 16, .kernel = 3, .padding = Padding::kValid, .groups = 16}), {{2, 6, 5, 16}});
  t.add(conv({.filters = 32, .kernel = 3, .stride = 2, .groups = 32, .bias = false}), {{2, 8, 6, 32}});
  t.add(conv({.filters = 16, .kernel = 3, .stride = 2, .groups = 16}), {{3, 7, 9, 16}});
  t.add(conv({.filters = 16, .kernel = 3, .stride = 2, .padding = Padding::kValid, .groups = 16}), {{2, 8, 7, 16}});
  t.add(conv({.filters = 16, .kernel = 3, .groups = 16, .activation = Activation::kRelu6}), {{2, 4, 4, 16}});
  t.add(conv({.filters = 6, .kernel = 3, .groups = 3, .activation = kNone}), {{2, 5, 5, 3}});  // depth multiplier 2
  t.add(conv({.filters = 12, .kernel = 3, .groups = 2, .activation = Activation::kRelu}), {{2, 6, 6, 8}});
  // Pools behind: ragged, overlapping, with gaps, of the whole picture, after a strided convolution.
  t.add(conv({.filters = 32, .kernel = 3, .activation = Activation::kRelu}, Pool2dOptions{}), {{3, 15, 13, 3}});
  t.add(conv({.filters = 9, .kernel = 3, .activation = Activation::kRelu}, Pool2dOptions{.window = 3, .stride = 2}),
        {{2, 9, 8, 4}});
  t.add(conv({.filters = 9, .kernel = 3, .activation = kNone}, Pool2dOptions{.window = 2, .stride = 3}),
        {{2, 9, 8, 4}});
  t.add(conv({.filters = 16, .kernel = 5, .bias = false, .activation = Activation::kRelu6},
             Pool2dOptions{.window = {1, 4}}),
        {{2, 6, 8, 16}});
  t.add(conv({.filters = 8, .kernel = 3, .stride = 2, .padding = Padding::kValid, .activation = Activation::kRelu},
             Pool2dOptions{}),
        {{2, 17, 17, 3}});
  t.add(conv({.filters = 10, .kernel = 3, .groups = 10, .activation = Activation::kRelu}, Pool2dOptions{}),
        {{2, 6, 6, 10}});
  t.add(conv({.filters = 2, .kernel = 3, .activation = Activation::kRelu}, Pool2dOptions{.window = {17, 16}}),
        {{1, 17, 32, 1}});  // a winner takes more than a byte
}

// Blocks of the vectorised implementation: 3 rows x 8 units and slabs of 512 forward, 8 x 48 and slabs of 240 backward,
// 32 parts. One more and one less of each, and several.
void add_dense_edges(Table& t) {
  constexpr auto kRelu = Activation::kRelu, kNone = Activation::kNone;
  t.add(make<Dense>(16, kNone), {{24, 1440}});            // whole tiles, strips and slabs; rows beyond the eighth tile
  t.add(make<Dense>(17, kRelu), {{33, 529}});             // one more of everything: 529 = 512 + 17 = 2 * 240 + 48 + 1
  t.add(make<Dense>(9, kNone), {{4, 1000}});              // a row by itself, a unit by itself, half a vector of `in`
  t.add(make<Dense>(7, Activation::kRelu6), {{7, 511}});  // one less of everything
  t.add(make<Dense>(31, kNone, false), {{1, 495}});       // a row alone; 16 units and one less; 495 = 2 * 240 + 15
  t.add(make<Dense>(125, kNone), {{2, 16901}});           // 34 slabs in 32 parts, the last ragged; 8.4 MB of weights
  t.add(make<Dense>(34, kRelu), {{3, 65536}});            // 8.9 MB on whole lines: the gradient goes past the caches
}

void add_edges(Table& t) {
  const std::vector<Shape> pictures = {{1, 1, 1, 1}, {2, 8, 8, 16}, {3, 7, 5, 53}, {1, 13, 4, 3}};
  const std::vector<Shape> vectors = {{1, 1}, {16, 64}, {3, 53}, {5, 257}};
  for (const auto activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
    for (const Shape& shape : vectors) {
      for (const int units : {1, 16, 53}) t.add(make<Dense>(units, activation, units != 16), {shape});
    }
    for (const Shape& shape : pictures) t.add(make<BatchNorm>(0.9f, 1e-3f, activation), {shape});
  }
  t.add(make<BatchNorm>(), {{33, 17}});
  for (const Shape& shape : pictures) {
    for (const auto activation : {Activation::kRelu, Activation::kRelu6})
      t.add(make<ActivationLayer>(activation), {shape});
    t.add(make<GlobalAveragePool2d>(), {shape});
    t.add(make<Add>(), {shape, shape});
    for (const float rate : {0.0f, 0.5f, 0.3f}) t.add(make<Dropout>(rate), {shape});
    t.add(make<MaxPool2d>(Pool2dOptions{.window = 1}), {shape});
    if (shape[1] < 3 || shape[2] < 3) continue;
    t.add(make<MaxPool2d>(Pool2dOptions{}), {shape});
    t.add(make<MaxPool2d>(Pool2dOptions{.window = 3, .stride = 2}), {shape});
    t.add(make<MaxPool2d>(Pool2dOptions{.window = {3, 1}, .stride = Extent2d{1, 2}}), {shape});
    t.add(make<MaxPool2d>(Pool2dOptions{.window = 2, .stride = 3}), {shape});
  }
  // A window whose winner takes more than a byte.
  t.add(make<MaxPool2d>(Pool2dOptions{.window = {17, 16}, .stride = Extent2d{1, 2}}), {{1, 18, 18, 2}});
  for (const Shape& shape : vectors) t.add(make<Softmax>(), {shape});
  t.add(make<Softmax>(), {{2, 3, 2, 10}});
}

}  // namespace

std::vector<OpCase> cases_of(OpFamily family) {
  Table table{family, {}};
  for (const auto& entry : models()) add_model(table, entry);
  if (family == OpFamily::kConv2d) add_conv2d_edges(table);
  if (family == OpFamily::kDense) add_dense_edges(table);
  add_edges(table);
  return table.cases;
}

std::vector<OpCase> generated_convolutions(int count) {
  std::vector<OpCase> cases;
  for (std::uint32_t index = 0; static_cast<int>(cases.size()) < count; ++index) {
    std::uint32_t draw = 0;
    const auto pick = [&](std::initializer_list<int> values) {
      const std::uint32_t word = philox4x32_10(2026, 0, index, draw++, 0, 0).v[0];
      return values.begin()[word % values.size()];
    };
    // Half look like the models' own, which have kernels of their own: 3 x 3, channels in sixteens, and a 2 x 2 pool
    // behind or one filter a channel.
    enum Kind { kAny, kPooled, kDepthwise };
    const int kind = pick({kAny, kAny, kPooled, kDepthwise});
    const bool usual = kind == kPooled;
    const int groups = kind == kDepthwise ? pick({16, 48}) : usual ? 1 : pick({1, 1, 1, 2, 3, 8});
    const int c = kind == kDepthwise ? groups : usual ? pick({3, 16, 32}) : groups * pick({1, 1, 2, 3, 8, 16});
    const int k = kind == kDepthwise ? groups : usual ? pick({16, 32, 64}) : groups * pick({1, 1, 2, 5, 8, 16});
    const Shape src{pick({1, 2, 3}), pick({1, 2, 3, 5, 6, 7, 8, 9, 12}), pick({1, 2, 3, 4, 7, 8, 10, 11}), c};
    Conv2dOptions o{.filters = k, .groups = groups, .bias = pick({0, 1, 1}) == 1};
    o.activation = static_cast<Activation>(pick({0, 1, 1, 2}));
    std::optional<Pool2dOptions> pool;
    if (usual) {
      pool = Pool2dOptions{};
    } else if (kind == kDepthwise) {
      o.stride = pick({1, 2});
      o.padding = pick({0, 1}) == 0 ? Padding::kSame : Padding::kValid;
    } else {
      o.kernel = {pick({1, 2, 3, 3, 5}), pick({1, 3, 3, 4})};
      o.stride = {pick({1, 1, 2, 3}), pick({1, 1, 2})};
      o.padding = pick({0, 1}) == 0 ? Padding::kSame : Padding::kValid;
      if (pick({0, 1}) == 1) pool = Pool2dOptions{.window = pick({2, 2, 3}), .stride = pick({1, 2, 2, 3})};
    }
    const DType type = pick({0, 0, 1}) == 1 ? DType::kBf16 : DType::kF32;
    const auto op = make<Conv2d>(o, pool);
    try {
      op->infer_shape(std::vector{src});
    } catch (const std::exception&) {
      continue;  // a window larger than the picture
    }
    const GradMode diff_src = pick({0, 0, 0, 1}) == 1 ? GradMode::kIgnore : GradMode::kOverwrite;
    cases.push_back(make_case(op, {src}, type, type, diff_src));
  }
  return cases;
}

}  // namespace cudacards::testing
