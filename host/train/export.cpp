#include "host/train/export.h"

#include <array>

#include "host/export/onnx.h"
#include "host/export/state_dict.h"
#include "host/runtime/error.h"
#include "host/train/stored_model.h"
#include "weights/atomic_file.h"

namespace cudacards {

void export_model(const ExportOptions& options, const FileCalls& calls) {
  if (!options.onnx.empty() && !missing_onnx().empty()) throw Error(missing_onnx());
  const StoredModel stored = StoredModel::load(options.checkpoint);
  const ExportedModel model{*stored.graph,
                            *stored.parameters,
                            stored.checkpoint.config.arch,
                            stored.checkpoint.classes,
                            stored.checkpoint.preprocessing.resize,
                            options.version};
  const std::string onnx = options.onnx.empty() ? "" : to_onnx(model);
  const auto tensors = options.safetensors.empty() ? std::vector<StateTensor>{} : state_dict(model);
  if (!options.onnx.empty()) {
    const std::array parts = {std::as_bytes(std::span(onnx))};
    write_file_atomically(options.onnx, parts, calls);
  }
  if (!options.safetensors.empty()) write_state_dict(options.safetensors, model, tensors, calls);
}

}  // namespace cudacards
