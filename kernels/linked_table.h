#pragma once
// The table of the kernels that this library is linked with. For one file of each library.

#include "kernels/table.h"

namespace cudacards {

#define CUDACARDS_ADDRESS(name) &cudacards::name,
constexpr KernelTable kLinkedKernels = {CUDACARDS_KERNELS(CUDACARDS_ADDRESS)};
#undef CUDACARDS_ADDRESS

}  // namespace cudacards
