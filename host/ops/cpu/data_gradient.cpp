#include "host/ops/cpu/data_gradient.h"

#include <cstring>

namespace cudacards::cpu {

void DataGradient::pack(const float* weights, float* packed) const {
  for (int c = 0; c < conv_.c; c += kLanes) {
    for (std::int64_t tap = 0; tap < std::int64_t{conv_.k} * 9; ++tap, packed += kLanes) {
      std::memcpy(packed, weights + tap * conv_.c + c, kLanes * sizeof(float));
    }
  }
}

}  // namespace cudacards::cpu
