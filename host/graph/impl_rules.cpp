#include "host/graph/impl_rules.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/graph/fusion.h"
#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

bool is_family(const std::string& word) { return std::ranges::find(impl_families(), word) != impl_families().end(); }

void add_implementations(const Operation& operation, std::vector<std::string>& names) {
  for (const DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kCuda}) {
    for (const Implementation& implementation : operation.implementations(kind)) {
      std::string name(implementation.name);
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  }
}

/// Families and then implementations; the reference is both.
std::vector<std::string> words_for(const std::vector<std::string>& implementations) {
  std::vector<std::string> words = impl_families();
  for (const std::string& name : implementations) {
    if (!is_family(name)) words.push_back(name);
  }
  return words;
}

void check_word(const std::string& word, const std::vector<std::string>& implementations, const std::string& where) {
  const std::vector<std::string> words = words_for(implementations);
  if (std::ranges::find(words, word) != words.end()) return;
  throw UsageError(fmt::format("--impl: {} has no \"{}\"{}; known: {}", where, word, did_you_mean(word, words),
                               fmt::join(words, ", ")));
}

}  // namespace

const std::vector<std::string>& impl_families() {
  static const std::vector<std::string> families = {"auto", "hand", "vendor", "reference"};
  return families;
}

ImplRules::ImplRules(ImplChoice everywhere) : everywhere_(impl_families().at(static_cast<std::size_t>(everywhere))) {}

void ImplRules::add(const std::string& text, const std::string& what) {
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t equals = part.find('=');
    const std::string word = equals == std::string::npos ? part : part.substr(equals + 1);
    if (word.empty() || equals == 0 || word.find('=') != std::string::npos) {
      throw UsageError(fmt::format("{} \"{}\": expected a family ({}), an implementation's name, or NODE=one of these",
                                   what, text, fmt::join(impl_families(), ", ")));
    }
    if (equals == std::string::npos) {
      everywhere_ = word;
    } else {
      nodes_[part.substr(0, equals)] = word;
    }
    begin = end + 1;
  }
}

std::string ImplRules::to_string() const {
  std::string text = everywhere_;
  for (const auto& [node, word] : nodes_) text += fmt::format(",{}={}", node, word);
  return text;
}

ImplRules::Rule ImplRules::of(const std::string& node) const {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? Rule{everywhere_} : Rule{it->second, true};
}

void ImplRules::check(const Graph& graph, bool fuse) const {
  std::vector<std::string> nodes, all;
  std::map<std::string, std::string> fused;  // into which node a layer went that is none itself
  std::map<std::string, std::vector<std::string>> implementations;
  for (const FusedStep& step : fuse_layers(graph, fuse)) {
    const std::string& node = graph.layers()[static_cast<std::size_t>(step.layers.front())].name;
    for (const int layer : step.layers) fused[graph.layers()[static_cast<std::size_t>(layer)].name] = node;
    if (step.operation->is_view()) continue;
    nodes.push_back(node);
    add_implementations(*step.operation, implementations[node]);
    add_implementations(*step.operation, all);
  }
  check_word(everywhere_, all, "the model");
  for (const auto& [node, word] : nodes_) {
    if (!implementations.contains(node)) {
      const auto into = fused.find(node);
      const std::string hint = into != fused.end() && into->second != node
                                   ? fmt::format(": \"{}\" computes it", into->second)
                                   : did_you_mean(node, nodes);
      throw UsageError(
          fmt::format("--impl: the plan has no node \"{}\"{}; nodes: {}", node, hint, fmt::join(nodes, ", ")));
    }
    check_word(word, implementations.at(node), node);
  }
}

}  // namespace cudacards
