#include "host/ops/vendor/cudnn/graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/runtime/error.h"

namespace cudacards::cudnn {
namespace {

int number(Id id) { return static_cast<int>(id); }

std::string text(const Convolution& c) {
  constexpr const char* kNames[] = {"conv", "conv-bwd-data", "conv-bwd-weights"};
  return fmt::format("{} {} {} {} stride {} pad {} {}", kNames[static_cast<int>(c.direction)], number(c.src),
                     number(c.weights), number(c.dst), fmt::join(c.stride, "x"), fmt::join(c.pad_before, "x"),
                     fmt::join(c.pad_after, "x"));
}
std::string text(const Pointwise& n) {
  constexpr const char* kNames[] = {"add", "subtract", "multiply", "reciprocal-root"};
  return fmt::format("{} {} {} {}", kNames[static_cast<int>(n.kind)], number(n.src), number(n.other), number(n.dst));
}
std::string text(const Relu& n) {
  return fmt::format("relu {} {} to {}", number(n.src), number(n.dst), n.upper ? fmt::to_string(*n.upper) : "inf");
}
std::string text(const Sum& n) { return fmt::format("sum {} {}", number(n.src), number(n.dst)); }
std::string text(const Pool& n) {
  return fmt::format("{}-pool{} {} {} {} window {} stride {}", n.kind == Pool::Kind::kMax ? "max" : "average",
                     n.backward ? "-bwd" : "", number(n.src), number(n.dst), number(n.index), fmt::join(n.window, "x"),
                     fmt::join(n.stride, "x"));
}
std::string text(const NormForward& n) {
  return fmt::format("norm {} {} {} {} {} {} {}", number(n.src), number(n.gamma), number(n.beta), number(n.epsilon),
                     number(n.mean), number(n.rstd), number(n.dst));
}
std::string text(const NormBackward& n) {
  return fmt::format("norm-bwd {} {} {} {} {} {} {} {}", number(n.src), number(n.diff_dst), number(n.gamma),
                     number(n.mean), number(n.rstd), number(n.diff_src), number(n.diff_gamma), number(n.diff_beta));
}

}  // namespace

const Tensor& Graph::tensor(Id id) const {
  const auto it = std::ranges::find(tensors, id, &Tensor::id);
  CUDACARDS_CHECK(it != tensors.end(), "an operation names a tensor that its graph doesn't have");
  return *it;
}

std::string to_string(const Graph& graph) {
  std::string result;
  for (const Tensor& t : graph.tensors) {
    result += fmt::format("{}: {} type {}{}{}; ", number(t.id), fmt::join(t.sizes, "x"), static_cast<int>(t.type),
                          t.is_virtual ? " virtual" : "", t.is_number ? " number" : "");
  }
  for (const Node& node : graph.nodes) {
    result += std::visit([](const auto& n) { return text(n); }, node) + "; ";
  }
  return result;
}

}  // namespace cudacards::cudnn
