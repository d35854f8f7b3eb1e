#include "host/ops/pointwise.h"

#include "host/ops/ops.h"

namespace cudacards {
namespace {

Dense dense_of(const Conv2d& conv) { return Dense(conv.options.filters, conv.options.activation, conv.options.bias); }

/// The same tensors with all pixels of all pictures as rows.
Problem rows_of(const Problem& problem) {
  Problem rows = problem;
  for (TensorDesc* tensor : {&rows.src[0], &rows.dst}) {
    const std::int64_t channels = tensor->shape[3];
    tensor->shape = {tensor->shape.elements() / channels, channels};
  }
  return rows;
}

}  // namespace

Verdict supports_pointwise(const Implementation& dense, const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (conv.pool) return Verdict::no("a pool behind the convolution");
  if (conv.options.kernel != Extent2d{1} || conv.options.stride != Extent2d{1} || conv.options.groups != 1)
    return Verdict::no("not 1x1 of stride 1");
  return dense.supports(dense_of(conv), rows_of(problem));
}

std::unique_ptr<Kernel> make_pointwise(const Implementation& dense, const Operation& conv, const Problem& problem) {
  return dense.make(dense_of(static_cast<const Conv2d&>(conv)), rows_of(problem));
}

}  // namespace cudacards
