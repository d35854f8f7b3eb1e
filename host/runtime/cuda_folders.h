#pragma once
// Where NVIDIA's libraries lie that don't come with the driver: cuDNN, cuBLASLt.

#include <string>
#include <vector>

namespace cudacards {

/// The environment variable with folders to look in first, separated by colons.
constexpr const char* kCudaFoldersVariable = "CUDACARDS_CUDA_LIBRARIES";

/// Those that a person asks for, to be tried before the loader's.
std::vector<std::string> wanted_cuda_folders();
/// To be tried after the loader's: those of $CUDA_HOME, $CUDA_PATH and the toolkit's usual place, then where Python's
/// wheels put them: site-packages/nvidia/*/lib of the active environment, of the one that `python3` belongs to, the
/// user's and the system's. Only what exists.
std::vector<std::string> usual_cuda_folders();

}  // namespace cudacards
