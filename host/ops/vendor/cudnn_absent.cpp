// What stands in the lists where cuDNN's headers were not there when the program was built.

#ifndef CUDACARDS_HAS_CUDNN

#include "host/ops/vendor/absent.h"
#include "host/ops/vendor/cudnn.h"

namespace cudacards {
namespace {

constexpr char kReason[] = "cuDNN: this build has none (its headers were not found when it was built)";

}  // namespace

constinit const Implementation kCudnnConv2d = vendor::absent<kReason>("cudnn");
constinit const Implementation kCudnnConv2dThenPool = vendor::absent<kReason>("cudnn:then-pool");
constinit const Implementation kCudnnMaxPool = vendor::absent<kReason>("cudnn");
constinit const Implementation kCudnnGlobalAveragePool = vendor::absent<kReason>("cudnn");
constinit const Implementation kCudnnBatchNorm = vendor::absent<kReason>("cudnn");
constinit const Implementation kCudnnSoftmax = vendor::absent<kReason>("cudnn");

std::string cudnn_description() { return "no: its headers were not found when this was built"; }

}  // namespace cudacards

#endif
