#include "bench/sweep/measure.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "kernels/base/philox.h"

namespace cudacards::sweep {
namespace {

using Bytes = std::vector<std::byte>;

enum class Signs : std::uint8_t { kBoth, kPositive };

std::size_t bytes_of(const Array& array) { return static_cast<std::size_t>(array.elements) * size_of(array.type); }

float value_at(const Bytes& bytes, DType type, std::size_t i) {
  if (type == DType::kF32) {
    float value;
    std::memcpy(&value, bytes.data() + 4 * i, sizeof value);
    return value;
  }
  if (type == DType::kBf16) {
    Bf16 value;
    std::memcpy(&value, bytes.data() + 2 * i, sizeof value);
    return static_cast<float>(value);
  }
  return static_cast<float>(bytes[i]);
}

/// Numbers from -1 to 1. A block of them is repeated: a billion draws would take longer than the sweep. Its length is
/// prime, so that no row of a tensor begins where another does.
Bytes random_values(const Array& array, std::uint32_t lane, Signs signs) {
  constexpr std::size_t kBlock = 1'000'003;
  const std::size_t size = size_of(array.type), count = static_cast<std::size_t>(array.elements);
  const std::size_t drawn = std::min(count, kBlock);
  Bytes block(drawn * size);
  for (std::size_t i = 0; i < drawn; ++i) {
    const std::uint32_t word = random4(1, RandomPurpose::kShuffle, 0, lane, static_cast<std::uint32_t>(i)).v[0];
    const float both = 2 * uniform01(word) - 1;
    const float value = signs == Signs::kPositive ? std::abs(both) : both;
    const Bf16 narrow(value);
    const auto byte = static_cast<std::uint8_t>((word >> 8) % static_cast<unsigned>(array.below));
    const void* from = array.type == DType::kF32    ? static_cast<const void*>(&value)
                       : array.type == DType::kBf16 ? static_cast<const void*>(&narrow)
                                                    : static_cast<const void*>(&byte);
    std::memcpy(block.data() + i * size, from, size);
  }
  Bytes all(count * size);
  for (std::size_t at = 0; at < all.size(); at += block.size())
    std::memcpy(all.data() + at, block.data(), std::min(block.size(), all.size() - at));
  return all;
}

/// The experiment's arrays in the machine's memory.
class DeviceArrays {
 public:
  DeviceArrays(const Experiment& experiment, Machine& machine) : experiment_(experiment), machine_(machine) {
    for (const Array& array : experiment.arrays)
      pointers_.push_back(machine.allocate(std::max<std::size_t>(bytes_of(array), 16)));
  }
  ~DeviceArrays() {
    for (void* pointer : pointers_) machine_.release(pointer);
  }
  DeviceArrays(const DeviceArrays&) = delete;
  DeviceArrays& operator=(const DeviceArrays&) = delete;

  const Pointers& pointers() const { return pointers_; }
  void fill_inputs(Signs signs) {
    for_each(Role::kInput, [&](std::size_t i, const Array& array) {
      const Bytes values = random_values(array, static_cast<std::uint32_t>(i), signs);
      machine_.upload(pointers_[i], values.data(), values.size());
    });
  }
  /// Runs on outputs that are all NaN, so that what a choice leaves unwritten is seen.
  Status run(const Choice& choice, std::vector<Bytes>& results) {
    for_each(Role::kOutput, [&](std::size_t i, const Array& array) {
      const Bytes ones(bytes_of(array), std::byte{0xff});
      machine_.upload(pointers_[i], ones.data(), ones.size());
    });
    if (Status status = machine_.run([&](Stream stream) { return choice.launch(pointers_, stream); }); !status)
      return status;
    results.clear();
    for_each(Role::kOutput, [&](std::size_t i, const Array& array) {
      results.emplace_back(bytes_of(array));
      machine_.download(results.back().data(), pointers_[i], results.back().size());
    });
    return Status::ok();
  }
  std::vector<Array> outputs() const {
    std::vector<Array> all;
    for_each(Role::kOutput, [&](std::size_t, const Array& array) { all.push_back(array); });
    return all;
  }

 private:
  template <class Visit>
  void for_each(Role role, const Visit& visit) const {
    for (std::size_t i = 0; i < experiment_.arrays.size(); ++i)
      if (experiment_.arrays[i].role == role) visit(i, experiment_.arrays[i]);
  }

  const Experiment& experiment_;
  Machine& machine_;
  Pointers pointers_;
};

/// Two fp32 sums of the same terms in different orders: each is off by about eps * sqrt(terms) of the sum of the terms'
/// sizes, and once more by half a unit where it is stored.
double bound_of(double magnitude, std::int64_t terms, DType type) {
  constexpr double kOrders = 4;
  const double stored = type == DType::kBf16 ? std::ldexp(1.0, -8) : std::ldexp(1.0, -24);
  const double sum = kOrders * std::ldexp(1.0, -23) * std::sqrt(static_cast<double>(terms));
  return magnitude * (1 + stored) * (sum + stored);
}

std::string difference(const Array& array, std::size_t i, float got, float expected, double bound) {
  return fmt::format("{}[{}] is {} where the first choice has {} (bound {:.3g})", array.name, i, got, expected, bound);
}

/// Empty where the results agree. `magnitudes` are the results of the inputs' absolute values.
std::string disagreement(const std::vector<Array>& outputs, const std::vector<Bytes>& results,
                         const std::vector<Bytes>& expected, const std::vector<Bytes>& magnitudes, const Choice& choice,
                         std::int64_t terms) {
  for (std::size_t output = 0; output < outputs.size(); ++output) {
    if (results[output] == expected[output]) continue;
    const Array& array = outputs[output];
    for (std::size_t i = 0; i < static_cast<std::size_t>(array.elements); ++i) {
      const float got = value_at(results[output], array.type, i), wanted = value_at(expected[output], array.type, i);
      const double bound = choice.agreement == Agreement::kSameBytes
                               ? 0
                               : bound_of(value_at(magnitudes[output], array.type, i), terms, array.type);
      const double apart = std::abs(static_cast<double>(got) - wanted);
      if (!(apart <= bound)) return difference(array, i, got, wanted, bound);
    }
    if (choice.agreement == Agreement::kSameBytes) return array.name + " has other bytes than the first choice's";
  }
  return {};
}

}  // namespace

Timings measure(const Experiment& experiment, Machine& machine) {
  Timings timings(experiment.choices.size());
  DeviceArrays arrays(experiment, machine);
  const std::vector<Array> outputs = arrays.outputs();
  std::vector<Bytes> expected, magnitudes, results;
  arrays.fill_inputs(Signs::kPositive);
  Status status = arrays.run(experiment.choices[0], magnitudes);
  arrays.fill_inputs(Signs::kBoth);
  if (status) status = arrays.run(experiment.choices[0], expected);
  for (std::size_t i = 0; i < experiment.choices.size(); ++i) {
    const Choice& choice = experiment.choices[i];
    Timing& timing = timings[i];
    if (i > 0 && status) {
      if (const Status run = arrays.run(choice, results); !run) {
        timing.refusal = run.reason();
      } else {
        timing.refusal = disagreement(outputs, results, expected, magnitudes, choice, experiment.terms);
      }
    } else if (!status) {
      timing.refusal = i == 0 ? status.reason() : "nothing to hold it against: " + status.reason();
    }
    if (timing.refusal.empty())
      timing.microseconds =
          machine.microseconds([&](Stream stream) { return choice.launch(arrays.pointers(), stream); });
  }
  return timings;
}

}  // namespace cudacards::sweep
