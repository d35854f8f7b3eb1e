#pragma once
// An implementation that this build lacks: a row of the table that says why.

#include <string_view>

#include "host/ops/operation.h"
#include "host/runtime/error.h"

namespace cudacards::vendor {

template <const char* reason>
constexpr Implementation absent(std::string_view name) {
  return {.name = name,
          .family = "vendor",
          .supports = [](const Operation&, const Problem&) { return Verdict::no(reason); },
          .make = [](const Operation&, const Problem&) -> std::unique_ptr<Kernel> {
            CUDACARDS_CHECK(false, "made what supports() refuses");
            return nullptr;
          }};
}

}  // namespace cudacards::vendor
