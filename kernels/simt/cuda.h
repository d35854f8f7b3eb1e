#pragma once
// The CUDA language for .cu files. With a CUDA compiler it is what NVIDIA's headers say; for the emulator (emulator/)
// the same words, so that one source compiles for both.

#ifdef CUDACARDS_EMULATED
#include "kernels/simt/emulator/language.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#endif
