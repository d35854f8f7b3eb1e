#include "weights/name_map.h"

#include <toml++/toml.h>

#include "host/runtime/error.h"
#include "weights/resources.h"

namespace cudacards {
namespace {

// The table is part of the program: whatever is wrong with it is a programming error.
std::string text_of(const toml::node_view<const toml::node>& node) {
  const auto text = node.value<std::string>();
  CUDACARDS_CHECK(text.has_value(), "weights/names: text is expected");
  return *text;
}

std::array<float, 3> triple_of(const toml::node_view<const toml::node>& node) {
  std::array<float, 3> values{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto value = node[i].value<double>();
    CUDACARDS_CHECK(value.has_value(), "weights/names: three numbers are expected");
    values[i] = static_cast<float>(*value);
  }
  return values;
}

std::vector<std::string> alternatives(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('|', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

NameFamily family_of(const std::string& name, std::size_t column, const toml::table& root) {
  const auto table = toml::node_view<const toml::node>(root)["family"][name];
  NameFamily family{.name = name};
  family.layout = text_of(table["layout"]) == "pytorch" ? WeightLayout::kPytorch : WeightLayout::kTensorflow;
  family.epsilon = static_cast<float>(table["epsilon"].value<double>().value());
  family.mean = triple_of(table["mean"]);
  family.deviation = triple_of(table["deviation"]);
  family.symmetric_padding = text_of(table["padding"]) == "symmetric";
  family.separator = text_of(table["separator"]);
  for (const auto& [key, value] : *table["parameters"].as_table())
    family.parameters.emplace(key.str(), alternatives(value.value<std::string>().value()));
  for (const auto& [key, value] : *root["layers"].as_table()) {
    if (key.str() == "families") continue;
    family.layers.emplace(key.str(), alternatives(text_of(toml::node_view<const toml::node>(value)[column])));
  }
  return family;
}

std::vector<NameFamily> read_families() {
  const toml::table root = toml::parse(resources::mobilenet_v2_names());
  std::vector<NameFamily> families = {{.name = "cudacards"}};
  const toml::array& names = *root["layers"]["families"].as_array();
  for (std::size_t column = 0; column < names.size(); ++column)
    families.push_back(family_of(names[column].value<std::string>().value(), column, root));
  return families;
}

}  // namespace

std::vector<std::string> NameFamily::names_of(const std::string& parameter) const {
  if (layout == WeightLayout::kNative) return {parameter};
  const std::size_t slash = parameter.rfind('/');
  const std::string layer = parameter.substr(0, slash), leaf = parameter.substr(slash + 1);
  const auto theirs = layers.find(layer);
  auto word = parameters.find(leaf);
  if (const auto special = parameters.find("depthwise/" + leaf);
      special != parameters.end() && layer.ends_with("/depthwise"))
    word = special;
  std::vector<std::string> names;
  if (theirs == layers.end() || word == parameters.end()) return names;
  for (const std::string& name : theirs->second) {
    for (const std::string& parameter_name : word->second) names.push_back(name + separator + parameter_name);
  }
  return names;
}

const std::vector<NameFamily>& mobilenet_name_families() {
  static const std::vector<NameFamily> families = read_families();
  return families;
}

}  // namespace cudacards
