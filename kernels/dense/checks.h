#pragma once
// What the launchers of this folder ask of their arguments.

#include <cstdint>
#include <initializer_list>

#include "kernels/dense/dense.h"

namespace cudacards {

inline bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

/// Null is aligned: whether a pointer may be null is said by `required`.
inline Status check_dense(const char* name, const DenseProblem& problem, DType type,
                          std::initializer_list<const void*> required, std::initializer_list<const void*> optional) {
  const std::string begin = std::string(name) + ": ";
  if (const Verdict verdict = dense_supports(problem, type); !verdict) return Status::failed(begin + verdict.reason());
  for (const void* pointer : required) {
    if (pointer == nullptr) return Status::failed(begin + "an array that it needs is missing");
    if (!is_aligned(pointer)) return Status::failed(begin + "arrays must be 16-byte aligned");
  }
  for (const void* pointer : optional) {
    if (!is_aligned(pointer)) return Status::failed(begin + "arrays must be 16-byte aligned");
  }
  return Status::ok();
}

}  // namespace cudacards
