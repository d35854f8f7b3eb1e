#pragma once
// What the processor offers.

#include <cstddef>
#include <string>
#include <vector>

namespace cudacards {

struct CpuInfo {
  std::string model;  // "AMD EPYC 9B14", as the system calls it
  std::vector<std::string>
      features;  // of those that oneDNN has kernels for: "avx2", "avx512f", "avx512_bf16", "amx_bf16", ...
};
CpuInfo cpu_info();

/// True where products of bf16 are instructions (AVX512-BF16 or AMX) and so faster than fp32.
bool cpu_has_bf16();

/// Of the largest cache, as the system tells it; 0 where it doesn't.
std::size_t last_cache_bytes();

}  // namespace cudacards
