#include "host/ops/operation.h"

#include "host/runtime/error.h"

namespace cudacards {

void Kernel::backward(const BackwardArgs&) { CUDACARDS_CHECK(false, "this kernel was made for inference"); }

std::vector<ParameterSpec> Operation::parameters(std::span<const Shape>) const { return {}; }

double Operation::flops(std::span<const Shape>) const { return 0; }

std::optional<ErrorScales> Operation::error_scales(std::span<const Shape>) const { return std::nullopt; }

std::unique_ptr<Operation> Operation::fuse(const Operation&, const Shape&) const { return nullptr; }

}  // namespace cudacards
