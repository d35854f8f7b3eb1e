#include "host/ops/pointwise.h"

#include "host/ops/cuda/implementations.h"

namespace cudacards {

constinit const Implementation kCudaPointwise = pointwise<kCudaDense>("hand:pointwise", "hand");

}  // namespace cudacards
