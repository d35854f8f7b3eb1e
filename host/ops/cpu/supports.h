#pragma once
// What the implementations of this folder have in common.

#include <memory>

#include "host/ops/operation.h"

namespace cudacards::cpu {

/// Yes where all sources and dst are fp32 or all are bf16.
Verdict supports_one_type(const Operation& operation, const Problem& problem);

/// What stands for supports() and make() where an implementation's code is left out of the build.
Verdict no_without_avx512(const Operation& operation, const Problem& problem);
std::unique_ptr<Kernel> none_without_avx512(const Operation& operation, const Problem& problem);

template <class KernelType, class OperationType>
std::unique_ptr<Kernel> make_kernel(const Operation& operation, const Problem& problem) {
  return std::make_unique<KernelType>(static_cast<const OperationType&>(operation), problem);
}

}  // namespace cudacards::cpu
