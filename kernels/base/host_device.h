#pragma once
// Functions of plain headers that kernels call too.

#if defined(__CUDACC__)
#define CUDACARDS_HOST_DEVICE __host__ __device__
#else
#define CUDACARDS_HOST_DEVICE
#endif
