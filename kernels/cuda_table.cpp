#include "kernels/linked_table.h"

namespace cudacards {

const KernelTable& cuda_kernels() { return kLinkedKernels; }

}  // namespace cudacards
