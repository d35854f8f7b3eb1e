#pragma once
// How one class fares.

#include <cstdint>
#include <string>

namespace cudacards {

struct ClassReport {
  std::string name;
  std::int64_t samples = 0, correct = 0, predicted = 0;
  double recall() const { return samples > 0 ? static_cast<double>(correct) / static_cast<double>(samples) : 0; }
  double precision() const { return predicted > 0 ? static_cast<double>(correct) / static_cast<double>(predicted) : 0; }
  double f1() const {
    return samples + predicted > 0 ? 2.0 * static_cast<double>(correct) / static_cast<double>(samples + predicted) : 0;
  }
};

}  // namespace cudacards
