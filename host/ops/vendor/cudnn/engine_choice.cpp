#include "host/ops/vendor/cudnn/engine_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/runtime/memory.h"

namespace cudacards::cudnn {

std::string to_string(const EngineRules& rules) {
  return fmt::format("{}, {}, at most {} bytes", rules.deterministic ? "deterministic" : "in any order",
                     !rules.has_fp32_factors           ? "no fp32 factors"
                     : rules.factors == Factors::kTf32 ? "tf32"
                                                       : "fp32",
                     rules.workspace_limit);
}

bool has_note(const Engine& engine, cudnnBackendNumericalNote_t note) {
  return std::ranges::find(engine.notes, note) != engine.notes.end();
}

std::string objection(const Engine& engine, const EngineRules& rules) {
  const auto has = [&](cudnnBackendNumericalNote_t note) { return has_note(engine, note); };
  if (rules.deterministic && has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return "not deterministic";
  if (has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return "sums in less than fp32";
  // Their sums are of other terms: whole numbers don't come out whole, and no bound of the direct sum holds.
  if (has(CUDNN_NUMERICAL_NOTE_WINOGRAD) || has(CUDNN_NUMERICAL_NOTE_FFT)) return "transforms the filter";
  if (has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return "rounds its input to 16 bits";
  // Tensor cores multiply fp32 as tf32.
  if (rules.has_fp32_factors && rules.factors == Factors::kExact && has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE))
    return "rounds fp32 to tf32";
  if (engine.workspace > rules.workspace_limit) {
    return fmt::format("needs {} of workspace, more than {}", mebibytes(engine.workspace),
                       mebibytes(rules.workspace_limit));
  }
  return "";
}

EngineChoice choose_engines(std::span<const Engine> engines, const EngineRules& rules) {
  EngineChoice choice;
  std::vector<std::string> objections;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    std::string why = objection(engines[i], rules);
    if (why.empty()) {
      choice.usable.push_back(i);
    } else if (std::ranges::find(objections, why) == objections.end()) {
      objections.push_back(std::move(why));
    }
  }
  if (!choice.usable.empty()) return choice;
  choice.reason = engines.empty()
                      ? "no engine for it"
                      : fmt::format("each of {} engines is refused: {}", engines.size(), fmt::join(objections, "; "));
  return choice;
}

}  // namespace cudacards::cudnn
