#pragma once
// 3x3 convolutions of stride 1 from a tile with its border, forward and backward data; conv2d_forward() and
// conv2d_backward_data() prefer it where it fits.

#include "kernels/conv2d/conv2d.h"

namespace cudacards {

/// Whether it can. bf16, 3x3, stride 1, C a multiple of 8; any padding, any K.
Verdict conv2d_halo_supports(const Conv2dProblem& problem, DType type);
/// The same for backward data: K a multiple of 8 too.
Verdict conv2d_halo_backward_supports(const Conv2dProblem& problem, DType type);
/// Whether it should, if it can: 8x16 tiles must fit a picture of rows x columns well.
bool conv2d_halo_fits(int rows, int columns);

Status conv2d_halo(const Conv2dProblem& problem, const Conv2dForwardArgs& args, Stream stream);
Status conv2d_halo_backward(const Conv2dProblem& problem, const Conv2dBackwardDataArgs& args, Stream stream);

}  // namespace cudacards
