#pragma once
// A checkpoint as files that other programs read.

#include <string>

#include "weights/file_calls.h"

namespace cudacards {

struct ExportOptions {
  std::string checkpoint;
  std::string onnx, safetensors;  // files to write; empty: not wanted
  std::string version;            // of this program, for the files to tell
};

/// Everything is made, and checked, before the first file is replaced; each is written whole or not at all. Throws
/// Error.
void export_model(const ExportOptions& options, const FileCalls& calls = system_file_calls());

}  // namespace cudacards
