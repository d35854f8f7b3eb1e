#include "host/ops/cpu/pooled_conv.h"

#include <fmt/format.h>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/data_gradient.h"
#include "host/ops/cpu/weights_gradient.h"
#include "host/runtime/error.h"

namespace cudacards::cpu {

#if CUDACARDS_AVX512

Verdict supports_sparse_gradients(const PooledConv& conv) {
  if (conv.k % kLanes != 0)
    return Verdict::no(fmt::format("{} filters: the sparse gradients need a multiple of {}", conv.k, kLanes));
  if (conv.c % kLanes != 0 && conv.c != 1 && conv.c != 3) {
    return Verdict::no(fmt::format("C={}: the sparse gradients need 1, 3 or a multiple of {}", conv.c, kLanes));
  }
  return Verdict::yes();
}

std::unique_ptr<WeightsGradient> make_weights_gradient(const PooledConv& conv) {
  return conv.c % kLanes == 0 ? make_sparse_weights_gradient(conv) : make_narrow_weights_gradient(conv);
}

#else

Verdict supports_sparse_gradients(const PooledConv&) {
  return Verdict::no("the sparse gradients need AVX-512, which this program was not built for");
}

std::unique_ptr<WeightsGradient> make_weights_gradient(const PooledConv&) {
  CUDACARDS_CHECK(false, "built without AVX-512");
}
std::unique_ptr<DataGradient> make_sparse_data_gradient(const PooledConv&) {
  CUDACARDS_CHECK(false, "built without AVX-512");
}

#endif

}  // namespace cudacards::cpu
