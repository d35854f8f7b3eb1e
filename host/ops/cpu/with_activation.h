#pragma once

#include <type_traits>

#include "kernels/base/activation.h"

namespace cudacards::cpu {

/// Calls body with the activation as a compile-time constant.
template <class Body>
void with_activation(Activation activation, Body body) {
  switch (activation) {
    case Activation::kNone:
      return body(std::integral_constant<Activation, Activation::kNone>());
    case Activation::kRelu:
      return body(std::integral_constant<Activation, Activation::kRelu>());
    case Activation::kRelu6:
      return body(std::integral_constant<Activation, Activation::kRelu6>());
  }
}

}  // namespace cudacards::cpu
