#pragma once
// What every oneDNN implementation needs: engine and stream, descriptors of the graph's tensors, primitives that are
// never oneDNN's slow reference, and one spelling of primitive creation for the API generations 2 (operation
// descriptors) and 3 (none).

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include <oneapi/dnnl/dnnl.hpp>

#include "host/ops/operation.h"
#include "host/ops/vendor/making.h"
#include "host/runtime/buffer.h"
#include "kernels/conv2d/problem.h"

namespace cudacards::onednn {

using dnnl::memory;

using vendor::at;
using vendor::Layout;
using vendor::make_kernel;
using vendor::Refused;
using vendor::supports_by_making;

const dnnl::engine& engine();
/// One a thread, because kernels run primitives from inside parallel_ranges.
dnnl::stream& stream();

memory::data_type type_of(DType type);

/// Sizes as oneDNN names them, innermost last, lying densely in that order.
memory::desc dense_desc(const memory::dims& sizes, memory::data_type type);
/// (N,H,W,C) of the graph as oneDNN's logical (N,C,H,W).
memory::desc nhwc_desc(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, memory::data_type type);
/// Master weights (K,R,S,C/groups) as oneDNN's logical (K,C,R,S), or (G,K/G,C/G,R,S) with groups.
memory::desc krsc_desc(const Conv2dProblem& problem, memory::data_type type);
/// The same sizes with the layout left to oneDNN.
memory::desc any_weights_desc(const Conv2dProblem& problem, memory::data_type type);

/// Attributes of every primitive here: the plan provides the scratchpad.
dnnl::primitive_attr plan_memory();
/// Throws Refused when oneDNN offers only its reference code, which is up to 500 times slower than its kernels.
void refuse_reference(const std::string& implementation);

template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attr, const Args&... args) {
  try {
#if DNNL_VERSION_MAJOR >= 3
    typename Primitive::primitive_desc pd(engine(), args..., attr);
#else
    typename Primitive::primitive_desc pd(typename Primitive::desc(args...), attr, engine());
#endif
    refuse_reference(pd.impl_info_str());
    return pd;
  } catch (const dnnl::error& e) {
    throw Refused(std::string("oneDNN: ") + e.message);
  }
}

/// A backward primitive beside the forward one whose results it reads.
template <class Primitive, class Hint, class... Args>
typename Primitive::primitive_desc describe_backward(const dnnl::primitive_attr& attr, const Hint& hint,
                                                     const Args&... args) {
  try {
#if DNNL_VERSION_MAJOR >= 3
    typename Primitive::primitive_desc pd(engine(), args..., hint, attr);
#else
    typename Primitive::primitive_desc pd(typename Primitive::desc(args...), attr, engine(), hint);
#endif
    refuse_reference(pd.impl_info_str());
    return pd;
  } catch (const dnnl::error& e) {
    throw Refused(std::string("oneDNN: ") + e.message);
  }
}

/// A primitive with its argument memories, made once. Data pointers are set before each run.
class Call {
 public:
  Call() = default;
  template <class PrimitiveDesc>
  Call(const dnnl::primitive& primitive, const PrimitiveDesc& pd,
       std::initializer_list<std::pair<int, memory::desc>> arguments)
      : primitive_(primitive), scratchpad_bytes_(pd.scratchpad_desc().get_size()) {
    for (const auto& [id, desc] : arguments) arguments_.emplace(id, memory(desc, engine(), nullptr));
    arguments_.emplace(DNNL_ARG_SCRATCHPAD, memory(pd.scratchpad_desc(), engine(), nullptr));
  }

  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  void run(std::initializer_list<std::pair<int, const void*>> pointers, void* scratchpad);

 private:
  dnnl::primitive primitive_;
  std::size_t scratchpad_bytes_ = 0;
  std::unordered_map<int, memory> arguments_;
};

/// A copy from one layout or type to another. Where both are the same there is nothing to copy.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const memory::desc& from, const memory::desc& to);

  bool is_identity() const { return identity_; }
  /// Size of the copy; 0 for the identity.
  std::size_t bytes() const { return identity_ ? 0 : bytes_; }
  std::size_t scratchpad_bytes() const { return call_.scratchpad_bytes(); }
  void run(const void* from, void* to, void* scratchpad);

 private:
  bool identity_ = true;
  std::size_t bytes_ = 0;
  Call call_;
};

}  // namespace cudacards::onednn
