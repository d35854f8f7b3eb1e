#include "host/runtime/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "host/runtime/error.h"

namespace cudacards {

Sha256 sha256(ByteSpan bytes) {
  Sha256 digest;
  unsigned length = 0;
  CUDACARDS_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1);
  CUDACARDS_CHECK(length == digest.size());
  return digest;
}

std::string hex(const Sha256& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace cudacards
