#pragma once
// A graph's operations as finalized descriptors.

#include <map>
#include <vector>

#include "host/ops/vendor/cudnn/descriptor.h"
#include "host/ops/vendor/cudnn/graph.h"

namespace cudacards::cudnn {

/// Every pointer that cuDNN gets is at least so aligned: parameters lie in one buffer, side by side.
constexpr std::int64_t kTensorAlignment = 16;

/// Owns the descriptors that an operation graph refers to. Throws Refused.
class Operations {
 public:
  Operations(const Functions& cudnn, const Graph& graph);
  std::vector<const Descriptor*> all() const;

 private:
  void add(const Convolution& node);
  void add(const Pointwise& node);
  void add(const Relu& node);
  void add(const Sum& node);
  void add(const Pool& node);
  void add(const NormForward& node);
  void add(const NormBackward& node);
  const Descriptor& tensor(Id id) const { return tensors_.at(id); }

  const Functions& cudnn_;
  std::map<Id, Descriptor> tensors_;
  std::vector<Descriptor> parts_;  // what operations refer to besides tensors
  std::vector<Descriptor> operations_;
};

}  // namespace cudacards::cudnn
