#pragma once
// Gradients that hinge on a comparison: a result near a clamp of the activation, or two near-equal candidates of a max
// pool, fall the other way in another precision or another order of the sum, and both are right.

#include "tests/support/op_run.h"

namespace cudacards::testing {

/// The same inputs with diff_dst = 0 where dst hinges on values that differ by less than twice the bound of their error:
/// what is left is the same whichever way they fall. Of overlapping pool windows some that don't overlap are left: the
/// sums of the others are rounded before the convolution's gradient is taken, where the reference rounds nothing.
OpInputs without_near_ties(const OpCase& c, OpInputs inputs);

}  // namespace cudacards::testing
