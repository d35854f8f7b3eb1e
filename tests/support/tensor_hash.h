#pragma once
// Have two runs come to the same weights?

#include <string>

namespace cudacards::testing_support {

/// SHA-256 over the names and bytes of all tensors of a safetensors file, in hexadecimal. (Its metadata names the run's
/// own folder.)
std::string hash_of_tensors(const std::string& path);

}  // namespace cudacards::testing_support
