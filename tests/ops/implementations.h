#pragma once
// "For every operation and every implementation in its list" as a GoogleTest parameter.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/case_scope.h"
#include "tests/support/op_run.h"
#include "tests/support/tested_device.h"

namespace cudacards::testing {

struct Candidate {
  OpFamily family;
  std::string implementation;  // its name, "reference"
  Device* device = &cpu_device();

  std::string test_name() const {
    std::string name = name_of(family) + "_" + (device->is_cpu() ? "" : "on_the_device_") + implementation;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
  }
};

inline void PrintTo(const Candidate& c, std::ostream* out) { *out << c.test_name(); }

inline std::vector<Candidate> all_candidates() {
  std::vector<Candidate> all;
  for (Device* device : all_devices()) {
    for (const OpFamily family : op_families()) {
      const auto cases = cases_of(family);
      for (const auto& i : cases.front().operation->implementations(device->kind()))
        all.push_back({family, std::string(i.name), device});
    }
  }
  return all;
}

/// About `count` of the cases, from the whole table.
inline std::vector<OpCase> some_of(std::vector<OpCase> cases, std::size_t count) {
  if (cases.size() <= count || !testing_support::wanted_case().empty()) return cases;
  std::vector<OpCase> some;
  std::size_t step = cases.size() / count;
  while (step % 2 == 0 || step % 3 == 0) ++step;  // the types come in threes and fours
  for (std::size_t i = 0; i < cases.size(); i += step) some.push_back(cases[i]);
  return some;
}

/// The emulator takes some 10 ns an access: of the small cases some from the whole table. More and larger ones are the
/// kernels' own tests' business (tests/kernels).
inline std::vector<OpCase> some_small(std::vector<OpCase> cases) {
  constexpr double kSmall = 2e5;
  constexpr std::size_t kCases = 7, kLeast = 2;
  const auto cost = [](const OpCase& c) {
    return c.operation->flops(c.src) + 16 * static_cast<double>(c.src.front().elements());
  };
  std::ranges::stable_sort(cases, {}, cost);
  const auto large = std::ranges::find_if(cases, [&](const OpCase& c) { return cost(c) > kSmall; });
  const auto small = std::max(static_cast<std::size_t>(large - cases.begin()), std::min(cases.size(), kLeast));
  cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(small), cases.end());
  return some_of(std::move(cases), kCases);
}

class EveryImplementation : public ::testing::TestWithParam<Candidate> {
 protected:
  static std::vector<OpCase> supported_cases(const std::vector<OpCase>& cases) {
    std::vector<OpCase> supported;
    for (OpCase& c : is_slow_to_ask() ? some_of(selected(cases), 40) : selected(cases)) {
      c.device = GetParam().device;
      if (c.device->is_cpu() && c.factors == Factors::kTf32) continue;  // no plan asks for it there
      const Implementation* implementation = implementation_of(c);
      if (implementation != nullptr && implementation->supports(*c.operation, c.problem())) supported.push_back(c);
    }
    return GetParam().device->kind() == DeviceKind::kEmulated ? some_small(supported) : supported;
  }

  /// Calls the body for each case that the implementation supports, with the case in scope.
  void for_each_case(const std::vector<OpCase>& cases,
                     const std::function<void(const OpCase&, const Implementation&)>& body) {
    const auto supported = supported_cases(cases);
    for (const OpCase& c : supported) {
      const testing_support::CaseScope scope(c.description);
      body(c, *implementation_of(c));
    }
    RecordProperty("cases", static_cast<int>(supported.size()));
    if (testing_support::wanted_case().empty()) {
      EXPECT_GT(supported.size(), 0u) << "no case at all was supported";
    }
  }

 private:
  /// cuDNN's supports() makes what it says yes to, and an engine that is compiled for its problem takes seconds.
  static bool is_slow_to_ask() { return GetParam().implementation.starts_with("cudnn"); }

  static const Implementation* implementation_of(const OpCase& c) {
    const auto all = c.operation->implementations(c.device->kind());
    const auto it = std::ranges::find(all, GetParam().implementation, &Implementation::name);
    return it == all.end() ? nullptr : &*it;
  }
};

inline std::string candidate_name(const ::testing::TestParamInfo<Candidate>& info) { return info.param.test_name(); }

}  // namespace cudacards::testing
