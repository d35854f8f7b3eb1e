#pragma once
// 1 x 1 convolutions of stride 1 are dense layers over all pixels: an implementation of the one is one of the other.

#include <memory>
#include <string_view>

#include "host/ops/operation.h"

namespace cudacards {

Verdict supports_pointwise(const Implementation& dense, const Operation& conv, const Problem& problem);
std::unique_ptr<Kernel> make_pointwise(const Implementation& dense, const Operation& conv, const Problem& problem);

template <const Implementation& dense>
constexpr Implementation pointwise(std::string_view name, std::string_view family) {
  return {.name = name,
          .family = family,
          .supports = [](const Operation& conv,
                         const Problem& problem) { return supports_pointwise(dense, conv, problem); },
          .make = [](const Operation& conv, const Problem& problem) { return make_pointwise(dense, conv, problem); }};
}

}  // namespace cudacards
