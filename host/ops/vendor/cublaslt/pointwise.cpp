#include "host/ops/pointwise.h"

#include "host/ops/vendor/cublaslt.h"

namespace cudacards {

constinit const Implementation kCublasLtPointwise = pointwise<kCublasLtDense>("cublaslt", "vendor");

}  // namespace cudacards
