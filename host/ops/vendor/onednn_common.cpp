#include "host/ops/vendor/onednn_common.h"

namespace cudacards::onednn {

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream of_this_thread(engine());
  return of_this_thread;
}

memory::data_type type_of(DType type) {
  switch (type) {
    case DType::kF32:
      return memory::data_type::f32;
    case DType::kBf16:
      return memory::data_type::bf16;
    case DType::kU8:
      return memory::data_type::u8;
  }
  return memory::data_type::undef;
}

memory::desc dense_desc(const memory::dims& sizes, memory::data_type type) {
  memory::dims strides(sizes.size(), 1);
  for (std::size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return {sizes, type, strides};
}

memory::desc nhwc_desc(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c, memory::data_type type) {
  return {{n, c, h, w}, type, memory::format_tag::nhwc};
}

memory::desc krsc_desc(const Conv2dProblem& problem, memory::data_type type) {
  const std::int64_t c = problem.c_per_group(), s_stride = c, r_stride = problem.s * c, k_stride = problem.r * r_stride;
  if (problem.groups == 1) return {{problem.k, c, problem.r, problem.s}, type, {k_stride, 1, r_stride, s_stride}};
  return {{problem.groups, problem.k_per_group(), c, problem.r, problem.s},
          type,
          {problem.k_per_group() * k_stride, k_stride, 1, r_stride, s_stride}};
}

memory::desc any_weights_desc(const Conv2dProblem& problem, memory::data_type type) {
  const auto any = memory::format_tag::any;
  if (problem.groups == 1) return {{problem.k, problem.c, problem.r, problem.s}, type, any};
  return {{problem.groups, problem.k_per_group(), problem.c_per_group(), problem.r, problem.s}, type, any};
}

dnnl::primitive_attr plan_memory() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void refuse_reference(const std::string& implementation) {
  if (implementation.find("ref") != std::string::npos) {
    throw Refused("oneDNN offers only its reference (" + implementation + ") for these sizes and types");
  }
}

void Call::run(std::initializer_list<std::pair<int, const void*>> pointers, void* scratchpad) {
  for (const auto& [id, data] : pointers) arguments_.at(id).set_data_handle(const_cast<void*>(data));
  arguments_.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratchpad);
  primitive_.execute(stream(), arguments_);
  stream().wait();
}

Reorder::Reorder(const memory::desc& from, const memory::desc& to) : identity_(from == to), bytes_(to.get_size()) {
  if (identity_) return;
  const dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, plan_memory());
  call_ = Call(dnnl::reorder(pd), pd, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

void Reorder::run(const void* from, void* to, void* scratchpad) {
  if (!identity_) call_.run({{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, scratchpad);
}

}  // namespace cudacards::onednn
