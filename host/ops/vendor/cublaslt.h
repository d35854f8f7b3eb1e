#pragma once
// cuBLASLt's implementations of dense layers, and of 1 x 1 convolutions as such, on GPUs. Without its header in the
// build, without the library or without a GPU each says so.

#include <string>

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCublasLtDense;
extern const Implementation kCublasLtPointwise;  // a 1 x 1 convolution of stride 1: all pixels are rows

/// For `cudacards doctor`: "13.1.0 (/usr/lib/.../libcublasLt.so.13)", or why there is none.
std::string cublaslt_description();

}  // namespace cudacards
