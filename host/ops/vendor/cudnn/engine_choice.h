#pragma once
// Which of the engines that cuDNN offers for a graph may be used, and in which order.

#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/factors.h"

namespace cudacards::cudnn {

struct EngineRules {
  bool deterministic = true;  // the same bytes from the same input
  Factors factors = Factors::kExact;
  bool has_fp32_factors = false;                         // the graph multiplies fp32 tensors
  std::size_t workspace_limit = std::size_t{512} << 20;  // bytes; the plan shares one scratchpad among all nodes
};

std::string to_string(const EngineRules& rules);

/// An engine as its heuristics offer it, in cuDNN's own words.
struct Engine {
  std::int64_t index = 0;  // "engine 34" in cuDNN's logs
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::size_t workspace = 0;
};

bool has_note(const Engine& engine, cudnnBackendNumericalNote_t note);

/// Why an engine may not be used; empty where it may.
std::string objection(const Engine& engine, const EngineRules& rules);

struct EngineChoice {
  std::vector<std::size_t> usable;  // in the heuristics' order, which is their forecast of speed
  std::string reason;               // where none is: the objections, each once
};
EngineChoice choose_engines(std::span<const Engine> engines, const EngineRules& rules);

}  // namespace cudacards::cudnn
