#pragma once
// What every library of NVIDIA's needs before it can be asked anything.

#include <string>

#include "host/ops/operation.h"

namespace cudacards::vendor {

/// Throws Refused, with the reason in words, where the problem is for no GPU, where `missing` says why the library
/// cannot be used, or where this machine has no GPU: `library` is "cuDNN", `choices` what it would be asked for,
/// "engines".
void require_gpu(const Problem& problem, const std::string& library, const std::string& missing, const char* choices);

}  // namespace cudacards::vendor
