#include "host/ops/tuning_table.h"

#include <algorithm>

#include <fmt/format.h>

namespace cudacards {
namespace {

std::string text_of(const TensorDesc& desc) { return fmt::format("{} {}", desc.shape.to_string(), name_of(desc.type)); }

}  // namespace

const CandidateResult* TuningEntry::find(std::string_view implementation) const {
  const auto it = std::ranges::find(candidates, implementation, &CandidateResult::implementation);
  return it == candidates.end() ? nullptr : &*it;
}

const TuningEntry* TuningTable::find(const std::string& key) const {
  const auto it = entries.find(key);
  return it == entries.end() ? nullptr : &it->second;
}

std::string problem_key(const Operation& operation, const Problem& problem) {
  std::string key(operation.stem());
  if (const std::string options = operation.options_text(); !options.empty()) key += " " + options;
  for (const TensorDesc& src : problem.src) key += " | " + text_of(src);
  key += " -> " + text_of(problem.dst);
  if (problem.tf32) key += " | tf32";
  if (!problem.training) return key + " | inference";
  key += " | training";
  for (const bool wanted : problem.diff_src_wanted) key += wanted ? " diff_src" : " -";
  if (problem.diff_parameters_wanted) key += " diff_parameters";
  return key;
}

}  // namespace cudacards
