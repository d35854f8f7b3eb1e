// What stands in the lists where cuBLASLt's header was not there when the program was built.

#ifndef CUDACARDS_HAS_CUBLASLT

#include "host/ops/vendor/absent.h"
#include "host/ops/vendor/cublaslt.h"

namespace cudacards {
namespace {

constexpr char kReason[] = "cuBLASLt: this build has none (its header was not found when it was built)";

}  // namespace

constinit const Implementation kCublasLtDense = vendor::absent<kReason>("cublaslt");
constinit const Implementation kCublasLtPointwise = vendor::absent<kReason>("cublaslt");

std::string cublaslt_description() { return "no: its header was not found when this was built"; }

}  // namespace cudacards

#endif
