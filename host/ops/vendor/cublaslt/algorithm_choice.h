#pragma once
// Which of the algorithms that cuBLASLt offers for a product may be used.

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace cudacards::cublaslt {

/// An algorithm as the heuristics offer it.
struct Algorithm {
  std::uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;  // how the parts of a split sum come together
  std::int32_t splits = 1;
  std::size_t workspace = 0;
};

struct AlgorithmRules {
  bool deterministic = true;
  bool writes_fp32 = true;                              // d is fp32: parts stored in d's type are whole sums
  std::size_t workspace_limit = std::size_t{64} << 20;  // bytes
};

/// Why an algorithm may not be used; empty where it may.
std::string objection(const Algorithm& algorithm, const AlgorithmRules& rules);

struct AlgorithmChoice {
  std::optional<std::size_t> chosen;  // the first without objection: they come in the order of estimated time
  std::string reason;                 // where there is none
};
AlgorithmChoice choose_algorithm(std::span<const Algorithm> algorithms, const AlgorithmRules& rules);

}  // namespace cudacards::cublaslt
