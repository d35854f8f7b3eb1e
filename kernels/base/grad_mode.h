#pragma once
// Gradients say whether they set or add.

#include <cstdint>

namespace cudacards {

/// What a backward kernel does with a gradient that it is asked for. Accumulate adds to what is there (branches that
/// fan in).
enum class GradMode : std::uint8_t { kIgnore, kOverwrite, kAccumulate };

}  // namespace cudacards
