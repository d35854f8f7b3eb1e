#pragma once
// A network as an ONNX model: opset 17, fp32, pictures of 0..255 in, scores and probabilities out.
//
//   pixels         uint8 (batch, height, width, 3), RGB as it is decoded; batch is symbolic
//   logits         float (batch, classes)
//   probabilities  float (batch, classes): the softmax of the logits
//
// Rescaling is part of the graph. Batch norms are folded into the convolutions in front of them, dropout is left out.
// Inside, pictures are (N,C,H,W): transposed once, as bytes, right behind the input, and not at all where no layer
// looks at neighbours. Weights of dense layers that read a flattened picture are reordered instead. Padding is
// explicit.

#include <string>

#include "host/export/exported_model.h"

namespace cudacards {

/// Empty: this build can write ONNX. Else what is missing and how to get it.
std::string missing_onnx();

/// Throws Error where the parameters are more than one ONNX file holds: protobuf's limit of 2 GiB.
void require_fits_onnx(const Graph& graph);

/// The bytes of the file; the same model gives the same bytes. Accepted by ONNX's own checker and shape inference.
/// Throws Error: missing_onnx(), what require_fits_onnx() says, or the layer whose operation has no ONNX form.
std::string to_onnx(const ExportedModel& model);

}  // namespace cudacards
