#pragma once
// What has been measured: for each problem, how fast each implementation was and whether its results agree. A value;
// files of it belong to host/train.

#include <map>
#include <string>
#include <vector>

#include "host/ops/operation.h"

namespace cudacards {

/// One implementation of one problem.
struct CandidateResult {
  std::string implementation;
  double forward_seconds = 0, backward_seconds = 0;  // 0 where the plan doesn't run it, and of what is refused
  bool is_estimate = false;  // so slow that it was run once, perhaps on a smaller batch, and multiplied
  double error = 0;          // the largest error against the decider, in units of what rounding explains
  std::string refusal;       // why its results are not to be used; empty: they agree

  double seconds() const { return forward_seconds + backward_seconds; }
  bool operator==(const CandidateResult&) const = default;
};

struct TuningEntry {
  std::vector<CandidateResult> candidates;  // in the order of the operation's list

  const CandidateResult* find(std::string_view implementation) const;
  bool operator==(const TuningEntry&) const = default;
};

struct TuningTable {
  std::string place;  // where it was measured (place.h); of a run that was carried elsewhere, where that was
  std::map<std::string, TuningEntry> entries;  // by problem_key()

  const TuningEntry* find(const std::string& key) const;
  bool operator==(const TuningTable&) const = default;
};

/// Everything that a measurement depends on besides the place: "conv2d 32 of 3x3 ... | (32, 224, 224, 3) bf16 -> ...".
/// The batch and whether gradients are wanted belong to it, the node's name does not.
std::string problem_key(const Operation& operation, const Problem& problem);

}  // namespace cudacards
