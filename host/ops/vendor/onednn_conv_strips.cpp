#include "host/ops/vendor/onednn_conv_strips.h"

#include <omp.h>

#include <algorithm>

namespace cudacards::onednn {
namespace {

/// oneDNN splits a primitive's work for the number of threads that OpenMP names while it is made.
class MadeForOneThread {
 public:
  MadeForOneThread() { omp_set_num_threads(1); }
  ~MadeForOneThread() { omp_set_num_threads(threads_); }
  MadeForOneThread(const MadeForOneThread&) = delete;
  MadeForOneThread& operator=(const MadeForOneThread&) = delete;

 private:
  const int threads_ = omp_get_max_threads();
};

}  // namespace

std::vector<Strip> strips_of(const Conv2dProblem& problem, int total, int rows) {
  std::vector<Strip> strips;
  for (int first = 0; first < total; first += rows) {
    Strip s{.first = first, .rows = std::min(rows, total - first)};
    const int top = first * problem.stride_h - problem.pad.top;
    const int bottom =
        (first + s.rows - 1) * problem.stride_h - problem.pad.top + problem.r;  // one past the last row read
    s.src_first = std::max(top, 0);
    s.src_rows = std::min(bottom, problem.h) - s.src_first;
    s.pad_top = s.src_first - top;
    s.pad_bottom = bottom - s.src_first - s.src_rows;
    strips.push_back(s);
  }
  return strips;
}

StripConvolution::StripConvolution(const Conv2dProblem& c, bool has_bias, memory::data_type type,
                                   std::vector<Strip> strips, int threads)
    : has_bias_(has_bias), strips_(std::move(strips)), calls_(static_cast<std::size_t>(threads)) {
  const MadeForOneThread guard;
  const auto f32 = memory::data_type::f32;
  const memory::desc bias = has_bias ? dense_desc({c.k}, f32) : memory::desc();
  weights_ = any_weights_desc(c, type);
  for (const Strip& s : strips_) {
    const memory::desc src = nhwc_desc(1, s.src_rows, c.w, c.c, type), dst = nhwc_desc(1, s.rows, c.q(), c.k, f32);
    const memory::dims strides = {c.stride_h, c.stride_w}, before = {s.pad_top, c.pad.left},
                       after = {s.pad_bottom, c.pad.right};
    const auto pd = describe<dnnl::convolution_forward>(plan_memory(), dnnl::prop_kind::forward_inference,
                                                        dnnl::algorithm::convolution_direct, src, weights_, bias, dst,
                                                        strides, before, after);
    weights_ = pd.weights_desc();  // the first strip chooses the layout, the others follow
    scratchpad_bytes_ = std::max(scratchpad_bytes_, pd.scratchpad_desc().get_size());
    const dnnl::convolution_forward primitive(pd);
    for (auto& of_thread : calls_) {
      of_thread.emplace_back(
          primitive, pd,
          std::initializer_list<std::pair<int, memory::desc>>{
              {DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, dst}});
    }
  }
}

void StripConvolution::run(int thread, std::size_t strip, const void* src, const void* weights, const float* bias,
                           float* dst, void* scratchpad) {
  Call& call = calls_[static_cast<std::size_t>(thread)][strip];
  if (has_bias_) {
    call.run({{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, dst}},
             scratchpad);
  } else {
    call.run({{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, dst}}, scratchpad);
  }
}

}  // namespace cudacards::onednn
