#include "host/ops/vendor/cudnn/context.h"

#include <map>

#include "host/ops/vendor/gpu.h"

namespace cudacards::cudnn {
namespace {

// One for the program, as there is one GPU at work. Never destroyed: the CUDA runtime may have ended before.
cudnnHandle_t handle() {
  static cudnnHandle_t made = [] {
    const Functions& cudnn = library().functions;
    cudnnHandle_t result = nullptr;
    check(cudnn, cudnn.Create(&result), "cuDNN on this GPU");
    return result;
  }();
  return made;
}

struct Made {
  std::shared_ptr<const Plan> plan;
  std::string refusal;  // where it could not be made: asked for again it is refused at once
};

Made make(const Graph& graph, const EngineRules& rules) {
  try {
    return {std::make_shared<const Plan>(Target{.cudnn = &library().functions, .handle = handle()}, graph, rules), ""};
  } catch (const Refused& refused) {
    return {nullptr, refused.what()};
  }
}

}  // namespace

void require_gpu(const Problem& problem) { vendor::require_gpu(problem, "cuDNN", library().missing, "engines"); }

std::shared_ptr<const Plan> plan_for(const Graph& graph, const EngineRules& rules) {
  static std::map<std::string, Made> plans;
  const std::string key = to_string(graph) + to_string(rules);
  auto it = plans.find(key);
  if (it == plans.end()) it = plans.emplace(key, make(graph, rules)).first;
  if (!it->second.plan) throw Refused("cuDNN: " + it->second.refusal);
  return it->second.plan;
}

std::shared_ptr<const Plan> plan_or_null(const Graph& graph, const EngineRules& rules) {
  try {
    return plan_for(graph, rules);
  } catch (const Refused&) {
    return nullptr;
  }
}

cudnnHandle_t handle_on(Stream stream) {
  check(library().functions, library().functions.SetStream(handle(), stream), "choosing the stream");
  return handle();
}

EngineRules rules_for(const Problem& problem, DType type) {
  return {.factors = problem.tf32 ? Factors::kTf32 : Factors::kExact, .has_fp32_factors = type == DType::kF32};
}

EngineRules rules_without_products(const Problem& problem) {
  EngineRules rules = rules_for(problem, DType::kF32);
  rules.has_fp32_factors = false;
  return rules;
}

}  // namespace cudacards::cudnn
