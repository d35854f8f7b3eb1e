#include "host/export/onnx/node_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace cudacards::onnx_export {
namespace {

void set(onnx::AttributeProto& proto, std::int64_t value) {
  proto.set_type(onnx::AttributeProto::INT);
  proto.set_i(value);
}
void set(onnx::AttributeProto& proto, float value) {
  proto.set_type(onnx::AttributeProto::FLOAT);
  proto.set_f(value);
}
void set(onnx::AttributeProto& proto, const Integers& values) {
  proto.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) proto.add_ints(value);
}

}  // namespace

std::string NodeList::unique(const std::string& name) {
  std::string free = name;
  for (int i = 1; !names_.insert(free).second; ++i) free = fmt::format("{}_{}", name, i);
  return free;
}

std::string NodeList::add(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                          const std::vector<Attribute>& attributes) {
  onnx::NodeProto& node = *graph_.add_node();
  node.set_op_type(type);
  node.set_name(unique(name));
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(node.name());
  for (const Attribute& attribute : attributes) {
    onnx::AttributeProto& proto = *node.add_attribute();
    proto.set_name(attribute.name);
    std::visit([&proto](const auto& value) { set(proto, value); }, attribute.value);
  }
  return node.name();
}

std::string NodeList::constant(const std::string& name, const Integers& shape, std::span<const float> values) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(unique(name));
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : shape) tensor.add_dims(size);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return tensor.name();
}

void NodeList::rename(const std::string& value, const std::string& promised) {
  auto& nodes = *graph_.mutable_node();
  const auto maker =
      std::find_if(nodes.begin(), nodes.end(), [&](const onnx::NodeProto& node) { return node.output(0) == value; });
  if (maker == nodes.end()) {  // the graph's input itself
    add("Identity", promised + "/identity", {value});
    nodes.rbegin()->set_output(0, promised);
    return;
  }
  maker->set_output(0, promised);
  for (onnx::NodeProto& node : nodes)
    std::replace(node.mutable_input()->begin(), node.mutable_input()->end(), value, promised);
}

}  // namespace cudacards::onnx_export
