#pragma once
// The last entry of a device's list: another implementation in fp32, whatever types the plan stores.

#include <memory>

#include "host/ops/operation.h"

namespace cudacards::cuda {

Verdict supports_widened(const Implementation& inner, const Operation& operation, const Problem& problem);
/// `inner` with every tensor in fp32. Sources are widened before each call, results rounded after it.
std::unique_ptr<Kernel> make_widened(const Implementation& inner, const Operation& operation, const Problem& problem);

template <const Implementation& inner>
constexpr Implementation widened() {
  return {.name = "reference",
          .family = "reference",
          .supports = [](const Operation& operation,
                         const Problem& problem) { return supports_widened(inner, operation, problem); },
          .make = [](const Operation& operation,
                     const Problem& problem) { return make_widened(inner, operation, problem); }};
}

}  // namespace cudacards::cuda
