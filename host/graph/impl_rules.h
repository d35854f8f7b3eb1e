#pragma once
// What --impl asks for: a family of implementations, or one by its name, everywhere and otherwise at some nodes.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "host/graph/graph.h"

namespace cudacards {

/// Which family of implementations is preferred: the whole ordered list, one family first, or the reference alone.
enum class ImplChoice : std::uint8_t { kAuto, kHand, kVendor, kReference };

/// A rule's word is a family (a preference: where it has nothing, the rest of the list follows) or the name of an
/// implementation, which a node gets or the plan is refused; everywhere it is a preference of the nodes that have it.
class ImplRules {
 public:
  ImplRules(
      ImplChoice everywhere = ImplChoice::kAuto);  // NOLINT(google-explicit-constructor): {.impl = kHand} reads well

  /// "vendor", "conv2d=vendor,dense_1=hand", "hand,conv2d=onednn:pool-fused"; later ones win. UsageError where it is
  /// not of that form; `what` is the option or key. Names are checked by check().
  void add(const std::string& text, const std::string& what);
  /// What add() reads back as the same.
  std::string to_string() const;

  struct Rule {
    std::string word;
    bool is_of_node = false;
  };
  Rule of(const std::string& node) const;

  /// UsageError with a guess for a node that a plan of the graph doesn't have, and for a word that is no family and no
  /// implementation of the node's (everywhere: of any node's) on any device.
  void check(const Graph& graph, bool fuse = true) const;

  bool operator==(const ImplRules&) const = default;

 private:
  std::string everywhere_;
  std::map<std::string, std::string> nodes_;
};

/// "auto", "hand", "vendor", "reference".
const std::vector<std::string>& impl_families();

}  // namespace cudacards
