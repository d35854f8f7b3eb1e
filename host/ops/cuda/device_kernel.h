#pragma once
// What the implementations of this folder have in common.

#include <memory>
#include <string_view>

#include "host/ops/operation.h"
#include "host/runtime/device.h"
#include "kernels/table.h"

namespace cudacards::cuda {

/// Yes where all sources and dst are fp32 or all are bf16.
Verdict supports_one_type(const Problem& problem);

/// A kernel that calls launchers of the target's table. Its tensors are all of one type.
class DeviceKernel : public Kernel {
 protected:
  explicit DeviceKernel(const Problem& problem)
      : kernels_(*problem.target.kernels),
        type_(problem.src[0].type),
        training_(problem.training),
        arch_(problem.target.arch) {}

  /// The weights as the kernels multiply them: the bf16 copy in bf16.
  template <class Args>
  const void* weights(const Args& args) const {
    return type_ == DType::kBf16 ? static_cast<const void*>(args.parameters_bf16[0]) : args.parameters[0];
  }

  const KernelTable& kernels_;
  const DType type_;
  const bool training_;
  const Arch arch_;  // whose tuning the launchers are asked to use
};

template <class KernelType, class OperationType>
std::unique_ptr<Kernel> make_kernel(const Operation& operation, const Problem& problem) {
  return std::make_unique<KernelType>(static_cast<const OperationType&>(operation), problem);
}

}  // namespace cudacards::cuda
