// Stands in for onnx/ in a build without the library.
#include "host/export/onnx.h"
#include "host/runtime/error.h"

#ifndef CUDACARDS_HAS_ONNX

namespace cudacards {

std::string missing_onnx() {
  return "this build cannot write ONNX: install libonnx-dev and libprotobuf-dev and build again (--safetensors needs "
         "neither)";
}

std::string to_onnx(const ExportedModel&) { throw Error(missing_onnx()); }

}  // namespace cudacards

#endif
