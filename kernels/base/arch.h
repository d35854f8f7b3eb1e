#pragma once
// NVIDIA compute capability as a value: sm_80 is Arch{8, 0}.

#include <compare>

namespace cudacards {

struct Arch {
  int major = 0;
  int minor = 0;
  auto operator<=>(const Arch&) const = default;
};

}  // namespace cudacards
