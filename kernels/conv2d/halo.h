#pragma once
// The forward pass of a 3x3 convolution of stride 1 from a tile with its border; conv2d_forward() prefers it where it
// fits.

#include "kernels/conv2d/conv2d.h"

namespace cudacards {

/// Whether it can. bf16, 3x3, stride 1, C a multiple of 8; any padding, any K.
Verdict conv2d_halo_supports(const Conv2dProblem& problem, DType type);
/// Whether it should: 8x16 tiles must fit the picture well.
bool conv2d_halo_is_best(const Conv2dProblem& problem, DType type);
Status conv2d_halo(const Conv2dProblem& problem, const Conv2dForwardArgs& args, Stream stream);

}  // namespace cudacards
