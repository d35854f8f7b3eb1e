#pragma once
// An exported ONNX model, read back with ONNX's own classes.

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace cudacards::testing_support {

class ParsedOnnx {
 public:
  explicit ParsedOnnx(const std::string& bytes) { EXPECT_TRUE(model.ParseFromString(bytes)); }

  std::vector<std::string> operations() const {
    std::vector<std::string> types;
    for (const auto& node : model.graph().node()) types.push_back(node.op_type());
    return types;
  }
  const onnx::NodeProto& node(const std::string& name) const {
    for (const auto& node : model.graph().node()) {
      if (node.name() == name) return node;
    }
    ADD_FAILURE() << "no node " << name;
    return onnx::NodeProto::default_instance();
  }
  const onnx::AttributeProto& attribute(const std::string& node_name, const std::string& name) const {
    for (const auto& attribute : node(node_name).attribute()) {
      if (attribute.name() == name) return attribute;
    }
    ADD_FAILURE() << node_name << " has no attribute " << name;
    return onnx::AttributeProto::default_instance();
  }
  std::vector<std::int64_t> integers(const std::string& node_name, const std::string& name) const {
    const auto& values = attribute(node_name, name).ints();
    return {values.begin(), values.end()};
  }
  const onnx::TensorProto& tensor(const std::string& name) const {
    for (const auto& tensor : model.graph().initializer()) {
      if (tensor.name() == name) return tensor;
    }
    ADD_FAILURE() << "no constant " << name;
    return onnx::TensorProto::default_instance();
  }
  std::vector<std::int64_t> shape(const std::string& name) const {
    const auto& dims = tensor(name).dims();
    return {dims.begin(), dims.end()};
  }
  std::vector<float> values(const std::string& name) const {
    const std::string& raw = tensor(name).raw_data();
    std::vector<float> values(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> entries;
    for (const auto& entry : model.metadata_props()) entries[entry.key()] = entry.value();
    return entries;
  }

  onnx::ModelProto model;
};

/// "batch, 5, 4, 3".
inline std::string shape_text(const onnx::ValueInfoProto& value) {
  std::string text;
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    if (!text.empty()) text += ", ";
    text += dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value());
  }
  return text;
}

}  // namespace cudacards::testing_support
