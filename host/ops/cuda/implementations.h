#pragma once
// The project's own kernels as implementations for GPUs and the emulator, which share one list: what a kernel can do is
// asked of the table in Problem::target.
//
// Of each operation: the fast kernels, which want all tensors in one type, then "reference", which takes everything:
// the plain kernels in fp32, with what is stored as bf16 widened before and rounded after (widened.h).

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCudaDirectConv2d;
extern const Implementation kCudaConv2d;
extern const Implementation kCudaConv2dThenPool;
extern const Implementation kCudaConvPool;   // convolution and pool in one kernel
extern const Implementation kCudaPointwise;  // 1x1 as a dense layer
extern const Implementation kCudaDepthwise;
extern const Implementation kCudaPlainConv2d;  // fp32 without a pool: what kCudaReferenceConv2d is made of
extern const Implementation kCudaReferenceConv2d;
/// Of a convolution with the batch norm behind it folded in: the convolution's own, one by one.
std::span<const Implementation> cuda_folded_conv2d(DeviceKind device);
extern const Implementation kCudaDense;
extern const Implementation kCudaReferenceDense;
extern const Implementation kCudaMaxPool;
extern const Implementation kCudaReferenceMaxPool;
extern const Implementation kCudaGlobalAveragePool;
extern const Implementation kCudaReferenceGlobalAveragePool;
extern const Implementation kCudaActivation;
extern const Implementation kCudaReferenceActivation;
extern const Implementation kCudaAdd;
extern const Implementation kCudaReferenceAdd;
extern const Implementation kCudaDropout;
extern const Implementation kCudaReferenceDropout;
extern const Implementation kCudaSoftmax;
extern const Implementation kCudaReferenceSoftmax;
extern const Implementation kCudaBatchNorm;
extern const Implementation kCudaReferenceBatchNorm;
extern const Implementation kCudaRescale;
extern const Implementation kCudaReferenceRescale;

}  // namespace cudacards
