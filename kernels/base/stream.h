#pragma once
// A CUDA stream in headers that plain C++ includes: the same type as cuda_runtime.h's cudaStream_t.

struct CUstream_st;

namespace cudacards {

using Stream = CUstream_st*;  // null: the default stream

}  // namespace cudacards
