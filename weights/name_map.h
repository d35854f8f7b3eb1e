#pragma once
// What others call a model's layers and parameters, and how their tensors lie: data, in weights/names/<model>.toml.

#include <array>
#include <map>
#include <string>
#include <vector>

namespace cudacards {

/// How tensors of a family lie. Native: convolutions (K,R,S,C), depthwise (C,R,S,1), dense (out,in).
enum class WeightLayout : std::uint8_t { kNative, kTensorflow, kPytorch };

struct NameFamily {
  std::string name;  // "keras"; "cudacards" for our own
  WeightLayout layout = WeightLayout::kNative;
  float epsilon = 1e-3f;                                      // of its batch norms
  std::array<float, 3> mean = {127.5f, 127.5f, 127.5f};       // its network is fed with
  std::array<float, 3> deviation = {127.5f, 127.5f, 127.5f};  // (pixel - mean) / deviation
  bool symmetric_padding = false;                             // of convolutions that stride; else "same"
  std::string separator = "/";                                // between layer and parameter
  // "a|b" of the table are alternatives, the likeliest first.
  std::map<std::string, std::vector<std::string>> parameters;  // "weights" -> "kernel"
  std::map<std::string, std::vector<std::string>> layers;      // "classifier" -> "predictions", "Logits"

  /// What the family calls our "stem/conv/weights", the likeliest first; empty where it has no name for it.
  std::vector<std::string> names_of(const std::string& parameter) const;
};

/// The families that are known for mobilenetv2, our own first.
const std::vector<NameFamily>& mobilenet_name_families();

}  // namespace cudacards
