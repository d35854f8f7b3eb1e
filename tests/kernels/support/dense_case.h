#pragma once
// Dense problems for tests: inputs, the double-precision answer, and the cases that all directions share.

#include <cmath>
#include <ostream>
#include <vector>

#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/philox.h"
#include "kernels/dense/dense.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/support/compare.h"

namespace cudacards::testing {

template <class T>
constexpr DType kTypeOf = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

/// Whole numbers whose products and sums are exact in fp32, or random ones.
enum class Numbers : std::uint8_t { kIntegers, kRandom };

template <class T>
std::vector<T> filled(std::int64_t count, Numbers fill, int from, int to, std::uint32_t lane) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t word = random4(5, RandomPurpose::kDeck, 0, lane, static_cast<std::uint32_t>(i / 4)).v[i % 4];
    const auto width = static_cast<std::uint32_t>(to - from + 1);
    values[i] = fill == Numbers::kIntegers
                    ? T(static_cast<float>(from + static_cast<int>(word % width)))
                    : T(static_cast<float>(from) + uniform01(word) * static_cast<float>(to - from));
  }
  return values;
}

template <class T>
std::vector<float> floats(const std::vector<T>& values) {
  std::vector<float> result;
  for (const T& x : values) result.push_back(static_cast<float>(x));
  return result;
}

/// sum over k of a(m,k) * b(n,k), each read by its own function, with the magnitude that bounds its error.
template <class A, class B>
Bounded product(int m, int n, int k, A a, B b) {
  Bounded result{.value = {}, .magnitude = {}, .terms = static_cast<double>(k) + 2};
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (int step = 0; step < k; ++step) {
        const double term = a(i, step) * b(j, step);
        sum += term;
        magnitude += std::abs(term);
      }
      result.value.push_back(sum);
      result.magnitude.push_back(magnitude);
    }
  }
  return result;
}

/// One value of each for all the pointers of the four directions, in the type T.
template <class T>
struct DenseData {
  DenseProblem p;
  std::vector<T> src, weights, residual, dst, diff_dst;
  std::vector<float> bias;

  DenseData(const DenseProblem& problem, Numbers fill) : p(problem) {
    src = filled<T>(p.src_elements(), fill, -3, 4, 1);
    weights = filled<T>(p.weight_elements(), fill, -2, 2, 2);
    residual = filled<T>(p.dst_elements(), fill, -9, 9, 3);
    dst = filled<T>(p.dst_elements(), fill, -1, 7, 4);  // at, below and above both clamps
    diff_dst = filled<T>(p.dst_elements(), fill, -3, 3, 5);
    bias = filled<float>(p.units, fill, -5, 5, 6);
  }

  // As they are multiplied.
  double src_at(int row, int in) const { return factor(at(src, row, in, p.in)); }
  double weight_at(int unit, int in) const { return factor(at(weights, unit, in, p.in)); }
  /// The gradient before the activation.
  double diff_at(int row, int unit) const {
    const auto y = at(dst, row, unit, p.units);
    return factor(at(diff_dst, row, unit, p.units) * derivative_from_result(p.activation, y));
  }

  double factor(double x) const {
    return p.factors == Factors::kTf32 ? static_cast<double>(rounded_to_tf32(static_cast<float>(x))) : x;
  }
  static double at(const std::vector<T>& values, int row, int column, int columns) {
    return static_cast<double>(static_cast<float>(
        values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column)]));
  }
};

struct DenseCase {
  int rows, in, units;
  Activation activation = Activation::kNone;
  std::optional<MatmulPlan> plan = {};
};

inline DenseProblem problem_of(const DenseCase& c) {
  return {.rows = c.rows, .in = c.in, .units = c.units, .activation = c.activation, .plan = c.plan};
}

inline DenseProblem in_tf32(DenseProblem problem) {
  problem.factors = Factors::kTf32;
  return problem;
}

inline void PrintTo(const DenseCase& c, std::ostream* out) {
  *out << "rows " << c.rows << ", in " << c.in << ", units " << c.units << ", " << name_of(c.activation);
  if (c.plan)
    *out << ", tile " << extent_of(c.plan->shape).m << " x " << extent_of(c.plan->shape).n << ", slices "
         << c.plan->slices;
}

inline std::vector<DenseCase> dense_cases(const NamedProblems<DenseProblem>& problems) {
  return cases_of_models(problems, [](const auto& named) {
    const DenseProblem& p = named.problem;
    return DenseCase{p.rows, p.in, p.units, p.activation, p.plan};
  });
}
/// Those of all models, 1 x 1 convolutions among them.
inline std::vector<DenseCase> dense_cases_of_models() {
  auto cases = dense_cases(model_problems().dense);
  for (const DenseCase& c : dense_cases(model_problems().pointwise)) cases.push_back(c);
  return cases;
}

constexpr TileShape kLarge = TileShape::kLarge, kFlat = TileShape::kFlat, kNarrow = TileShape::kNarrow;

}  // namespace cudacards::testing
