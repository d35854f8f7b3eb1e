#pragma once
// An ONNX graph under construction: nodes and constants with names that nobody else has. A value is its name.

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace cudacards::onnx_export {

using Integers = std::vector<std::int64_t>;

struct Attribute {
  std::string name;
  std::variant<std::int64_t, float, Integers> value;
};

class NodeList {
 public:
  /// `promised`: names that are kept for the graph's inputs and outputs.
  NodeList(onnx::GraphProto& graph, std::initializer_list<std::string> promised) : graph_(graph), names_(promised) {}

  /// Adds a node; its one result is named as the node is.
  std::string add(const std::string& type, const std::string& name, const std::vector<std::string>& inputs,
                  const std::vector<Attribute>& attributes = {});
  /// fp32; an empty shape is a scalar.
  std::string constant(const std::string& name, const Integers& shape, std::span<const float> values);

  /// Gives a value one of the promised names, everywhere.
  void rename(const std::string& value, const std::string& promised);

 private:
  std::string unique(const std::string& name);

  onnx::GraphProto& graph_;
  std::set<std::string> names_;
};

}  // namespace cudacards::onnx_export
