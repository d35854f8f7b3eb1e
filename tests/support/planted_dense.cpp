#include "tests/support/planted_dense.h"

#include <chrono>
#include <thread>

#include "host/ops/reference/implementations.h"
#include "host/runtime/error.h"

namespace cudacards::testing {
namespace {

/// fp32 on the CPU.
class PlantedKernel final : public Kernel {
 public:
  PlantedKernel(Planted planted, const Dense& dense, const Problem& problem)
      : planted_(planted), problem_(problem), sound_(kReferenceDense.make(dense, problem)) {}

  MemoryNeed memory() const override { return sound_->memory(); }

  void forward(const ForwardArgs& args) override {
    if (planted_ == Planted::kThrows) throw Error("it is broken");
    linger();
    sound_->forward(args);
    const bool is_large = problem_.dst.shape[0] > 4;
    if (planted_ == Planted::kWrongDst || (planted_ == Planted::kWrongLastRow && is_large))
      spoil(args.dst, problem_.dst);
  }

  void backward(const BackwardArgs& args) override {
    linger();
    sound_->backward(args);
    if (planted_ == Planted::kWrongDiffSrc && args.diff_src[0] != nullptr) spoil(args.diff_src[0], problem_.src[0]);
    if (planted_ == Planted::kWrongGradient && args.diff_parameters[0] != nullptr) args.diff_parameters[0][1] += 0.125f;
  }

 private:
  void linger() const {
    if (planted_ == Planted::kSlow) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  static void spoil(void* tensor, const TensorDesc& desc) {
    static_cast<float*>(tensor)[desc.shape.elements() - 1] += 0.125f;
  }

  const Planted planted_;
  const Problem problem_;
  const std::unique_ptr<Kernel> sound_;
};

template <Planted planted>
Implementation implementation() {
  return {.name = name_of(planted),
          .family = planted == Planted::kSlow ? "vendor" : "hand",
          .supports =
              [](const Operation&, const Problem&) {
                return planted == Planted::kUnwilling ? Verdict::no("it does not want to") : Verdict::yes();
              },
          .make = [](const Operation& operation, const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<PlantedKernel>(planted, static_cast<const PlantedDense&>(operation).dense, problem);
          }};
}

Implementation implementation_of(Planted planted) {
  switch (planted) {
    case Planted::kSound:
      return implementation<Planted::kSound>();
    case Planted::kSlow:
      return implementation<Planted::kSlow>();
    case Planted::kWrongDst:
      return implementation<Planted::kWrongDst>();
    case Planted::kWrongDiffSrc:
      return implementation<Planted::kWrongDiffSrc>();
    case Planted::kWrongGradient:
      return implementation<Planted::kWrongGradient>();
    case Planted::kWrongLastRow:
      return implementation<Planted::kWrongLastRow>();
    case Planted::kThrows:
      return implementation<Planted::kThrows>();
    case Planted::kUnwilling:
      return implementation<Planted::kUnwilling>();
  }
  return {};
}

}  // namespace

const char* name_of(Planted planted) {
  constexpr const char* kNames[] = {"sound",          "slow",           "wrong-dst", "wrong-diff-src",
                                    "wrong-gradient", "wrong-last-row", "throws",    "unwilling"};
  return kNames[static_cast<std::size_t>(planted)];
}

PlantedDense::PlantedDense(int units, const std::vector<Planted>& list) : dense(units) {
  for (const Planted planted : list) list_.push_back(implementation_of(planted));
  Implementation reference = implementation<Planted::kSound>();
  reference.name = reference.family = "reference";
  list_.push_back(reference);
}

std::string PlantedDense::options_text() const {
  std::string text = dense.options_text();
  for (const Implementation& i : list_) text += " " + std::string(i.name);
  return text;
}

std::span<const Implementation> PlantedDense::implementations(DeviceKind) const { return list_; }

}  // namespace cudacards::testing
