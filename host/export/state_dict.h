#pragma once
// A network's weights as a PyTorch state dict in a safetensors file: names and axes of PyTorch, values untouched.

#include <string>
#include <vector>

#include "host/export/exported_model.h"
#include "weights/file_calls.h"

namespace cudacards {

struct StateTensor {
  std::string name;                 // "features.0.0.weight", "conv2d_1.bias"
  std::vector<std::int64_t> shape;  // convolutions (K,C/groups,R,S), dense (out,in)
  std::vector<float> values;
};

/// Every parameter, in the model's order. MobileNetV2 has torchvision's names (weights/names/mobilenet_v2.toml); others
/// keep their layers' names with PyTorch's words for the parameters, "block/conv" becoming "block.conv". Columns of
/// dense layers that read a flattened picture, in (H,W,C) order here, are in PyTorch's (C,H,W) order. Throws Error
/// naming the parameter that has no form in PyTorch.
std::vector<StateTensor> state_dict(const ExportedModel& model);

/// Writes it with the facts of facts_of() as metadata, and format ("pt"), batch_norm.epsilon and padding ("same"): what
/// a network in PyTorch needs to give the same results, and what `weights import` reads to get the same values back.
void write_state_dict(const std::string& path, const ExportedModel& model, const std::vector<StateTensor>& tensors,
                      const FileCalls& calls = system_file_calls());

}  // namespace cudacards
