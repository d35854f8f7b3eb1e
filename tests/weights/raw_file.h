#pragma once
// Files as an attacker writes them: any header text, any length, any data.

#include <cstdint>
#include <cstring>
#include <string>

namespace cudacards::testing_support {

inline std::string raw_safetensors(std::uint64_t header_length, const std::string& header, const std::string& data) {
  std::string file(sizeof header_length, '\0');
  std::memcpy(file.data(), &header_length, sizeof header_length);
  return file + header + data;
}

inline std::string raw_safetensors(const std::string& header, const std::string& data) {
  return raw_safetensors(header.size(), header, data);
}

}  // namespace cudacards::testing_support
