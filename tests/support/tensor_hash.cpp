#include "tests/support/tensor_hash.h"

#include <vector>

#include "host/runtime/sha256.h"
#include "weights/safetensors.h"

namespace cudacards::testing_support {

std::string hash_of_tensors(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::vector<std::uint8_t> all;
  for (const auto& tensor : file.tensors()) {
    all.insert(all.end(), tensor.name.begin(), tensor.name.end());
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(tensor.bytes.data());
    all.insert(all.end(), bytes, bytes + tensor.bytes.size());
  }
  return hex(sha256(all));
}

}  // namespace cudacards::testing_support
