#pragma once
// "For every operation and every implementation in its list" as a GoogleTest parameter.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/case_scope.h"
#include "tests/support/op_run.h"

namespace cudacards::testing {

struct Candidate {
  OpFamily family;
  std::string implementation;  // its name, "reference"

  std::string test_name() const {
    std::string name = name_of(family) + "_" + implementation;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
  }
};

inline void PrintTo(const Candidate& c, std::ostream* out) { *out << c.test_name(); }

inline std::vector<Candidate> all_candidates() {
  std::vector<Candidate> all;
  for (const OpFamily family : op_families()) {
    const auto cases = cases_of(family);
    for (const auto& i : cases.front().operation->implementations(DeviceKind::kCpu))
      all.push_back({family, std::string(i.name)});
  }
  return all;
}

class EveryImplementation : public ::testing::TestWithParam<Candidate> {
 protected:
  /// Calls the body for each case that the implementation supports, with the case in scope.
  void for_each_case(const std::vector<OpCase>& cases,
                     const std::function<void(const OpCase&, const Implementation&)>& body) {
    int supported = 0;
    for (const OpCase& c : selected(cases)) {
      for (const Implementation& implementation : c.operation->implementations(DeviceKind::kCpu)) {
        if (implementation.name != GetParam().implementation) continue;
        if (!implementation.supports(*c.operation, c.problem())) continue;
        ++supported;
        const testing_support::CaseScope scope(c.description);
        body(c, implementation);
      }
    }
    RecordProperty("cases", supported);
    if (testing_support::wanted_case().empty()) {
      EXPECT_GT(supported, 0) << "no case at all was supported";
    }
  }
};

inline std::string candidate_name(const ::testing::TestParamInfo<Candidate>& info) { return info.param.test_name(); }

}  // namespace cudacards::testing
