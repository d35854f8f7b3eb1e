#include "host/ops/vendor/cublaslt/algorithm_choice.h"

#include <fmt/format.h>

#include "host/runtime/memory.h"

namespace cudacards::cublaslt {

std::string objection(const Algorithm& algorithm, const AlgorithmRules& rules) {
  const bool is_split = algorithm.splits > 1;
  // The parts are added to d one after the other, in the order in which the blocks come to it.
  if (rules.deterministic && is_split && algorithm.reduction == CUBLASLT_REDUCTION_SCHEME_INPLACE)
    return "not deterministic";
  if (is_split && algorithm.reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE && !rules.writes_fp32)
    return "adds parts in less than fp32";
  if (algorithm.workspace > rules.workspace_limit) {
    return fmt::format("needs {} of workspace, more than {}", mebibytes(algorithm.workspace),
                       mebibytes(rules.workspace_limit));
  }
  return "";
}

AlgorithmChoice choose_algorithm(std::span<const Algorithm> algorithms, const AlgorithmRules& rules) {
  std::string first;
  for (std::size_t i = 0; i < algorithms.size(); ++i) {
    std::string why = objection(algorithms[i], rules);
    if (why.empty()) return {i, ""};
    if (first.empty()) first = std::move(why);
  }
  if (algorithms.empty()) return {std::nullopt, "no algorithm for it"};
  return {std::nullopt, fmt::format("each of {} algorithms is refused, the fastest: {}", algorithms.size(), first)};
}

}  // namespace cudacards::cublaslt
