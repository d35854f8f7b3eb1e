#pragma once
// What bounds the error of an operation's results, so that two implementations can be compared without guessing.

#include <vector>

namespace cudacards {

/// Of one tensor of results whose inputs are all in [-1, 1]: each element is a sum of `terms` terms, the sum of whose
/// absolute values is at most `magnitude`. Computed in fp32, |error| <= c * eps * sqrt(terms) * magnitude (Higham and
/// Mary, "A new approach to probabilistic rounding error analysis", SISC 2019).
struct ErrorScale {
  double terms = 1, magnitude = 1;
  /// How many of the terms are products of at most 1 with a factor that is computed first and then rounded to the type
  /// that is multiplied. Factors that are inputs are drawn rounded.
  double made = 0;
};

struct ErrorScales {
  ErrorScale dst, diff_src;                 // diff_src: of every source
  std::vector<ErrorScale> diff_parameters;  // as Operation::parameters()
  /// Sums of products of small whole numbers are exact in any order, and so are the comparisons that ReLU and a pool
  /// make: only the rounding of what is stored is left. False where the operation divides or takes roots.
  bool is_exact_on_whole_numbers = true;
};

}  // namespace cudacards
