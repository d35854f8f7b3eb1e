#pragma once
// TensorFlow.js layers models as a test, or an attacker, writes them.

#include <map>
#include <string>

#include "tests/support/temporary_folder.h"

namespace cudacards::testing_support {

/// A model.json with one group of these weights (JSON) in these files.
inline std::string tfjs_json(const std::string& weights, const std::string& paths = R"(["w.bin"])") {
  return R"({"format":"layers-model","modelTopology":{"a":[1,{"b":null}]},"weightsManifest":[{"paths":)" + paths +
         R"(,"weights":[)" + weights + "]}]}";
}

/// Writes all of it; returns the path of the model.json.
inline std::string write_tfjs(const TemporaryFolder& folder, const std::string& json,
                              const std::map<std::string, std::string>& shards) {
  for (const auto& [name, bytes] : shards) write_bytes(folder / name, bytes);
  write_bytes(folder / "model.json", json);
  return folder / "model.json";
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

}  // namespace cudacards::testing_support
