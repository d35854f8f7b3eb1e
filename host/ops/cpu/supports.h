#pragma once
// What the implementations of this folder have in common.

#include <memory>

#include "host/ops/operation.h"

namespace cudacards::cpu {

/// Yes where all sources and dst are fp32 or all are bf16.
Verdict supports_one_type(const Operation& operation, const Problem& problem);

template <class KernelType, class OperationType>
std::unique_ptr<Kernel> make_kernel(const Operation& operation, const Problem& problem) {
  return std::make_unique<KernelType>(static_cast<const OperationType&>(operation), problem);
}

}  // namespace cudacards::cpu
