#include "host/graph/choice.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr std::string_view kReferenceFamily = "reference";

bool is_family(const std::string& word) { return std::ranges::find(impl_families(), word) != impl_families().end(); }

class Chooser {
 public:
  Chooser(PlanNode& node, const PlanOptions& options)
      : node_(node),
        rule_(options.impl.of(node.name)),
        entry_(options.tuning ? options.tuning->find(problem_key(*node.operation, node.problem)) : nullptr) {
    if (entry_ != nullptr) node.choice.measured = entry_->candidates;
  }

  std::unique_ptr<Kernel> choose() {
    const auto list = node_.operation->implementations(node_.problem.target.kind);
    require_named(list);
    std::vector<const Implementation*> able;
    for (const Implementation& i : list) {
      if (obstacle(i).empty()) able.push_back(&i);
    }
    // What is asked for first, then the fastest, then the list's order.
    const auto chosen = std::ranges::min_element(able, [&](const Implementation* a, const Implementation* b) {
      return is_asked_for(*a) != is_asked_for(*b) ? is_asked_for(*a) : seconds(*a) < seconds(*b);
    });
    note_refusals(list, chosen == able.end() ? list.data() + list.size() : *chosen);
    if (chosen != able.end()) return make(**chosen);
    std::string reasons;
    for (const auto& refusal : node_.refused)
      reasons += fmt::format("; {}: {}", refusal.implementation, refusal.reason);
    throw Error(fmt::format("{}: no implementation on this device{}", node_.name, reasons));
  }

 private:
  bool is_asked_for(const Implementation& i) const { return i.family == rule_.word || i.name == rule_.word; }

  const CandidateResult* result_of(const Implementation& i) const {
    return entry_ == nullptr ? nullptr : entry_->find(i.name);
  }

  /// Whatever has not been measured comes after what has.
  double seconds(const Implementation& i) const {
    const CandidateResult* result = result_of(i);
    return result == nullptr || !result->refusal.empty() ? HUGE_VAL : result->seconds();
  }

  bool names(const Implementation& i) const { return rule_.is_of_node && i.name == rule_.word; }

  /// An implementation that is asked for by its name is this one or none.
  void require_named(std::span<const Implementation> list) const {
    if (!rule_.is_of_node || is_family(rule_.word)) return;
    const auto named = std::ranges::find(list, rule_.word, &Implementation::name);
    const std::string reason =
        named == list.end() ? fmt::format("there is none for the device ({})", name_of(node_.problem.target.kind))
                            : obstacle(*named);
    if (!reason.empty()) throw UsageError(fmt::format("--impl: {} cannot be {}: {}", node_.name, rule_.word, reason));
  }

  void note_refusals(std::span<const Implementation> list, const Implementation* chosen) {
    for (const Implementation& i : list) {
      const CandidateResult* result = result_of(i);
      const bool disagrees = result != nullptr && !result->refusal.empty();
      const bool stands_aside = rule_.word == kReferenceFamily && !is_asked_for(i);
      if (stands_aside || (&i > chosen && !disagrees && !is_asked_for(i))) continue;
      if (std::string reason = obstacle(i); !reason.empty())
        node_.refused.push_back({std::string(i.name), std::move(reason)});
    }
  }

  /// Why it cannot be taken; empty where it can. Somebody who names it for this node gets it in spite of a difference.
  std::string obstacle(const Implementation& i) const {
    const Verdict verdict = i.supports(*node_.operation, node_.problem);
    if (!verdict) return verdict.reason();
    const CandidateResult* result = result_of(i);
    if (rule_.word == kReferenceFamily && i.family != kReferenceFamily) return "the reference alone is asked for";
    return result == nullptr || names(i) ? "" : result->refusal;
  }

  std::unique_ptr<Kernel> make(const Implementation& i) {
    auto kernel = i.make(*node_.operation, node_.problem);
    node_.implementation = i.name;
    node_.memory = kernel->memory();
    node_.rounds_to_tf32 = kernel->rounds_to_tf32();
    node_.choice.reason = is_asked_for(i)             ? ChoiceReason::kAsked
                          : std::isfinite(seconds(i)) ? ChoiceReason::kMeasured
                                                      : ChoiceReason::kOrder;
    return kernel;
  }

  PlanNode& node_;
  const ImplRules::Rule rule_;
  const TuningEntry* entry_;
};

}  // namespace

std::unique_ptr<Kernel> choose(PlanNode& node, const PlanOptions& options) { return Chooser(node, options).choose(); }

std::vector<const Implementation*> supporting_implementations(const PlanNode& node) {
  std::vector<const Implementation*> supporting;
  for (const auto& i : node.operation->implementations(node.problem.target.kind)) {
    if (i.supports(*node.operation, node.problem)) supporting.push_back(&i);
  }
  return supporting;
}

}  // namespace cudacards
