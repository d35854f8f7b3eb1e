#pragma once
// A dense layer with implementations that are wrong, slow or broken on purpose, to see what choosing makes of them.

#include <cstdint>
#include <vector>

#include "host/ops/ops.h"

namespace cudacards::testing {

enum class Planted : std::uint8_t {
  kSound,          // the reference's arithmetic
  kSlow,           // the same, 3 ms a call
  kWrongDst,       // one element a little off
  kWrongDiffSrc,   // likewise
  kWrongGradient,  // of the weights
  kWrongLastRow,   // dst of the last picture, where the batch is larger than 4
  kThrows,         // an Error at the first call
  kUnwilling,      // supports nothing
};
const char* name_of(Planted planted);  // "slow", "wrong-dst", ...

/// The list that an operation of this kind shows: those given, in order, then "reference".
class PlantedDense final : public Operation {
 public:
  PlantedDense(int units, const std::vector<Planted>& list);
  const Dense dense;

  std::string_view kind() const override { return "Dense"; }
  std::string_view stem() const override { return "planted"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override { return dense.infer_shape(src); }
  std::vector<ParameterSpec> parameters(std::span<const Shape> src) const override { return dense.parameters(src); }
  double flops(std::span<const Shape> src) const override { return dense.flops(src); }
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override { return dense.error_scales(src); }
  std::span<const Implementation> implementations(DeviceKind device) const override;

 private:
  std::vector<Implementation> list_;
};

}  // namespace cudacards::testing
