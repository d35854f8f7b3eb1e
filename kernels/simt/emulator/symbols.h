#pragma once
// Machine code addresses as source lines.

#include "kernels/simt/emulator/fault.h"

namespace cudacards::emulator {

/// The line that `return_address` returns to; of a chain of inlined functions the innermost that is not part of
/// kernels/simt/ or of a system header: the line that its author would look at. Unknown: line 0.
Location locate(const void* return_address);

/// The name of the function at `address`, without its parameters.
std::string function_name(const void* address);

}  // namespace cudacards::emulator
