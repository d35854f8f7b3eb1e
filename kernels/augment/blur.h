#pragma once
// The first pass of augment(): pictures whose transform blurs go to args.blurred, the others are left out.

#include "kernels/augment/augment.h"

namespace cudacards {

Status blur_pictures(const PictureBatchProblem& problem, const AugmentArgs& args, Stream stream);

}  // namespace cudacards
