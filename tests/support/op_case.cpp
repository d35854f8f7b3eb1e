#include "tests/support/op_case.h"

#include "host/runtime/threads.h"
#include "tests/support/case_scope.h"

namespace cudacards::testing {

Problem OpCase::problem() const {
  Problem p;
  for (const Shape& shape : src) p.src.push_back({shape, type});
  p.dst = {dst(), dst_type};
  p.training = true;
  p.diff_src_wanted.assign(src.size(), diff_src != GradMode::kIgnore);
  p.diff_parameters_wanted = true;
  p.node = 7;
  p.threads = threads();
  p.tf32 = factors == Factors::kTf32;
  p.target = device->target();
  return p;
}

const std::vector<OpFamily>& op_families() {
  static const std::vector<OpFamily> all = {
      OpFamily::kConv2d,  OpFamily::kDense,   OpFamily::kMaxPool, OpFamily::kGlobalAveragePool, OpFamily::kActivation,
      OpFamily::kSoftmax, OpFamily::kDropout, OpFamily::kAdd,     OpFamily::kBatchNorm};
  return all;
}

std::string name_of(OpFamily family) {
  switch (family) {
    case OpFamily::kConv2d:
      return "conv2d";
    case OpFamily::kDense:
      return "dense";
    case OpFamily::kMaxPool:
      return "max_pool";
    case OpFamily::kGlobalAveragePool:
      return "global_average_pool";
    case OpFamily::kActivation:
      return "activation";
    case OpFamily::kSoftmax:
      return "softmax";
    case OpFamily::kDropout:
      return "dropout";
    case OpFamily::kAdd:
      return "add";
    case OpFamily::kBatchNorm:
      return "batch_norm";
  }
  return "?";
}

std::vector<OpCase> selected(std::vector<OpCase> cases) {
  const std::string wanted = testing_support::wanted_case();
  std::erase_if(cases, [&](const OpCase& c) { return c.description.find(wanted) == std::string::npos; });
  return cases;
}

}  // namespace cudacards::testing
