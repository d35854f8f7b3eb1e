#pragma once
// cuDNN's implementations of the operations on GPUs, for the lists in host/ops/*.cpp, where they stand behind the
// project's own kernels. Without cuDNN's headers in the build, without the library or without a GPU each says so.

#include <string>

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCudnnConv2d;          // any kernel, stride, padding and groups; no pool
extern const Implementation kCudnnConv2dThenPool;  // convolution + bias + activation, then the max pool
extern const Implementation kCudnnMaxPool;
extern const Implementation kCudnnGlobalAveragePool;
extern const Implementation kCudnnBatchNorm;
extern const Implementation kCudnnSoftmax;

/// For `cudacards doctor`: "9.19.0 (/usr/lib/.../libcudnn.so.9)", or why there is none.
std::string cudnn_description();

}  // namespace cudacards
