#pragma once
// The last entry of every list: plain loops that support whatever the operation can describe.

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kReferenceConv2d;  // with activation and max pool, composed of the unfused loops
extern const Implementation kReferenceDense;
extern const Implementation kReferenceMaxPool;
extern const Implementation kReferenceGlobalAveragePool;
extern const Implementation kReferenceActivation;
extern const Implementation kReferenceSoftmax;
extern const Implementation kReferenceDropout;
extern const Implementation kReferenceAdd;
extern const Implementation kReferenceBatchNorm;

}  // namespace cudacards
