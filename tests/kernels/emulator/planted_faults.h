#pragma once
// Small kernels with one fault each, and the same kernels without it.

#include <span>

#include "kernels/base/status.h"
#include "kernels/simt/emulator/fault.h"

namespace cudacards::testing {

enum class Twin { kFaulty, kClean };

struct PlantedFault {
  const char* name;  // a faulty line of planted_faults.cu ends with "// FAULT name"
  emulator::FaultKind kind;
  Status (*run)(Twin twin);
};

std::span<const PlantedFault> planted_faults();

}  // namespace cudacards::testing
