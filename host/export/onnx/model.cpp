// From a network to an ONNX file: the frame around the nodes.
#include <fmt/format.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include "host/export/facts.h"
#include "host/export/onnx.h"
#include "host/export/onnx/operations.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

using onnx_export::kPixels;

constexpr int kOpset = 17;
constexpr const char *kLogits = "logits", *kProbabilities = "probabilities", *kBatch = "batch";

void describe(onnx::ValueInfoProto& value, const char* name, onnx::TensorProto::DataType type, const Shape& shape,
              const std::string& words) {
  value.set_name(name);
  value.set_doc_string(words);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param(kBatch);
  for (int i = 1; i < shape.rank(); ++i) tensor.mutable_shape()->add_dim()->set_dim_value(shape[i]);
}

void describe_input(onnx::GraphProto& proto, const Graph& graph) {
  const bool is_image = graph.input_kind() == InputKind::kImage;
  describe(*proto.add_input(), kPixels, is_image ? onnx::TensorProto::UINT8 : onnx::TensorProto::FLOAT,
           graph.input_shape(),
           is_image ? "RGB pictures as they are decoded, 0..255; the graph rescales them" : "fp32 values");
}

void describe_outputs(onnx::GraphProto& proto, const Graph& graph) {
  const Shape scores{1, graph.classes()};
  describe(*proto.add_output(), kLogits, onnx::TensorProto::FLOAT, scores, "scores before the softmax, one a class");
  describe(*proto.add_output(), kProbabilities, onnx::TensorProto::FLOAT, scores, "the softmax of the logits");
}

void add_metadata(onnx::ModelProto& proto, const ExportedModel& model) {
  for (const auto& [key, value] : facts_of(model)) {
    onnx::StringStringEntryProto& entry = *proto.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
}

/// What ONNX itself says about the model; shapes are inferred again from the nodes and compared with those declared.
void check(onnx::ModelProto& proto) {
  try {
    onnx::checker::check_model(proto);
    onnx::shape_inference::InferShapes(proto, onnx::OpSchemaRegistry::Instance(),
                                       {/*check_type=*/true, /*error_mode=*/1, /*data_prop=*/false});
    proto.mutable_graph()->clear_value_info();  // what was inferred; in place, because a copy would double the memory
  } catch (const std::exception& error) {
    throw Error(fmt::format("ONNX's checker refuses the model, nothing was written: {}", error.what()));
  }
}

}  // namespace

std::string missing_onnx() { return ""; }

std::string to_onnx(const ExportedModel& model) {
  require_fits_onnx(model.graph);
  onnx::ModelProto proto;
  proto.set_ir_version(8);  // of the release that brought opset 17
  proto.add_opset_import()->set_version(kOpset);
  proto.set_producer_name("cudacards");
  proto.set_producer_version(model.producer_version);
  onnx::GraphProto& graph = *proto.mutable_graph();
  graph.set_name(model.arch);
  describe_input(graph, model.graph);
  describe_outputs(graph, model.graph);
  add_metadata(proto, model);

  onnx_export::NodeList nodes(graph, {kPixels, kLogits, kProbabilities});
  auto steps = fuse_layers(model.graph, true, Folding::kAll);
  nodes.rename(onnx_export::Writer(model.graph, model.parameters, std::move(steps), nodes).write(), kLogits);
  nodes.rename(nodes.add("Softmax", "softmax", {kLogits}, {{"axis", std::int64_t{-1}}}), kProbabilities);

  check(proto);
  std::string bytes;
  if (!proto.SerializeToString(&bytes))
    throw Error("the ONNX model could not be serialised: it is larger than protobuf allows, or memory is short");
  return bytes;
}

}  // namespace cudacards
