#pragma once
// What the launchers of this folder ask of their arguments.

#include <initializer_list>

#include "kernels/base/arrays.h"
#include "kernels/dense/dense.h"

namespace cudacards {

inline Status check_dense(const char* name, const DenseProblem& problem, DType type,
                          std::initializer_list<NamedArray> needed, std::initializer_list<NamedArray> optional = {}) {
  if (const Verdict verdict = dense_supports(problem, type); !verdict)
    return Status::failed(std::string(name) + ": " + verdict.reason());
  return check_arrays(name, needed, optional);
}

}  // namespace cudacards
