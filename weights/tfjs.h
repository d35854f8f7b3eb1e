#pragma once
// Weights of a TensorFlow.js layers model: a model.json that lists tensors, and files ("shards") that hold their bytes
// one after the other. https://www.tensorflow.org/js/guide/save_load

#include <memory>
#include <string>

#include "weights/tensor_source.h"

namespace cudacards {

/// Strict: every shard named once, in the folder of the model.json, and exactly as long as its tensors. Throws Error
/// naming the file and the rule that it breaks.
std::unique_ptr<TensorSource> open_tfjs(const std::string& model_json);

}  // namespace cudacards
