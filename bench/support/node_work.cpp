#include "bench/support/node_work.h"

#include <algorithm>
#include <numeric>

#include "bench/support/drawn_values.h"
#include "host/runtime/buffer.h"

namespace cudacards::bench {
namespace {

constexpr std::size_t kLine = 256;  // what a device's own allocations are aligned to
constexpr std::size_t line_up(std::size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

bool is_picture(const TensorDesc& desc) { return desc.type == DType::kU8; }

}  // namespace

/// Hands out pieces of one block. Without a block it only counts.
class NodeWork::Placement {
 public:
  explicit Placement(std::byte* begin) : begin_(begin) {}
  template <class T = void>
  T* take(std::size_t bytes) {
    T* piece = begin_ == nullptr || bytes == 0 ? nullptr : reinterpret_cast<T*>(begin_ + used_);
    used_ += line_up(bytes);
    return piece;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* begin_;
  std::size_t used_ = 0;
};

NodeWork::NodeWork(Device& device, std::vector<Link> chain, Precision precision, const Limits& limits)
    : device_(device), chain_(std::move(chain)), has_bf16_copies_(!device.is_cpu() && precision == Precision::kBf16) {
  for (const Link& link : chain_) {
    kernels_.push_back(link.implementation.make(*link.operation, link.problem));
    needs_.push_back(kernels_.back()->memory());
    scratchpad_bytes_ = std::max(scratchpad_bytes_, needs_.back().scratchpad);
    std::vector<Shape> shapes;
    for (const TensorDesc& src : link.problem.src) shapes.push_back(src.shape);
    specs_.push_back(link.operation->parameters(shapes));
    auto& modes = diff_src_modes_.emplace_back();
    for (const bool wanted : link.problem.diff_src_wanted)
      modes.push_back(wanted ? GradMode::kOverwrite : GradMode::kIgnore);
  }

  Placement counted(nullptr);
  std::vector<LinkMemory> uncounted;
  place(counted, uncounted);
  const std::size_t one = std::max(counted.used(), kLine);
  const std::size_t for_the_cache = 2 * limits.cache_bytes / one + 1;
  const std::size_t affordable = std::max<std::size_t>(limits.memory_bytes / one, 1);
  const std::size_t copies =
      std::min({for_the_cache, affordable, static_cast<std::size_t>(std::max(limits.copies, 1))});
  memory_ = DeviceBuffer(device_, copies * one, "a benchmark's tensors");
  for (std::size_t i = 0; i < copies; ++i) {
    Placement placement(memory_.data() + i * one);
    place(placement, copies_.emplace_back());
  }

  const TensorDesc& src = chain_.front().problem.src.front();
  const auto batch = static_cast<std::size_t>(src.shape[0]);
  shared_ = DeviceBuffer(
      device_, line_up(sizeof(StepClock)) + line_up(scratchpad_bytes_) + line_up(batch * sizeof(std::int32_t)),
      "a benchmark's scratchpad");
  Placement placement(shared_.data());
  clock_ = placement.take<StepClock>(sizeof(StepClock));
  scratchpad_ = placement.take(scratchpad_bytes_);
  if (is_picture(src)) {
    const auto* pixels = static_cast<const std::uint8_t*>(copies_.front().front().src.front());
    auto* indices = placement.take<std::int32_t>(batch * sizeof(std::int32_t));
    std::vector<std::int32_t> all(batch);
    std::iota(all.begin(), all.end(), 0);
    device_.upload(indices, all.data(), batch * sizeof(std::int32_t));
    device_.synchronise();
    for (std::size_t i = 0; i < batch; ++i) pictures_.push_back(pixels + i * (src.bytes() / batch));
    images_.images = pictures_;
    device_images_ = {.pictures = pixels, .indices = indices};
  }
}

void NodeWork::place(Placement& placement, std::vector<LinkMemory>& copy) {
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const Problem& problem = chain_[i].problem;
    LinkMemory& link = copy.emplace_back();
    const LinkMemory* before = i > 0 ? &copy[i - 1] : nullptr;
    for (std::size_t s = 0; s < problem.src.size(); ++s) {
      link.src.push_back(before != nullptr ? before->dst : placement.take(problem.src[s].bytes()));
      const bool wanted = problem.diff_src_wanted[s];
      link.diff_src.push_back(before != nullptr ? before->diff_dst
                                                : (wanted ? placement.take(problem.src[s].bytes()) : nullptr));
    }
    link.dst = placement.take(problem.dst.bytes());
    if (problem.training) link.diff_dst = placement.take(problem.dst.bytes());
    for (const ParameterSpec& spec : specs_[i]) {
      const TensorDesc desc{spec.shape, DType::kF32};
      link.parameters.push_back(placement.take<float>(desc.bytes()));
      link.parameters_read.push_back(link.parameters.back());
      const bool wanted = problem.diff_parameters_wanted && spec.trainable;
      link.diff_parameters.push_back(wanted ? placement.take<float>(desc.bytes()) : nullptr);
      if (has_bf16_copies_) link.parameters_bf16.push_back(placement.take<Bf16>(desc.bytes() / 2));
    }
    link.workspace = placement.take(needs_[i].workspace);
    link.packed = placement.take(needs_[i].packed);
  }
}

void NodeWork::fill_tensor(void* data, const TensorDesc& desc, Fill values, std::uint32_t lane, bool positive) {
  const auto block = drawn_values(desc.type, desc.shape.elements(),
                                  {.integers = values == Fill::kIntegers, .positive = positive}, lane);
  device_.upload(data, block.data(), block.size());
  auto* bytes = static_cast<std::byte*>(data);
  for (std::size_t done = block.size(); done < desc.bytes();) {
    const std::size_t piece = std::min(done, desc.bytes() - done);
    device_.copy(bytes + done, bytes, piece);
    done += piece;
  }
  device_.synchronise();
}

void NodeWork::fill(Fill values) {
  device_.fill(memory_.data(), 0xff, memory_.size());  // NaN: what is not written shows
  const StepClock clock{.seed = 1, .number = 0};
  device_.upload(clock_, &clock, sizeof clock);
  std::uint32_t lane = 0;
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const Problem& problem = chain_[i].problem;
    const LinkMemory& link = copies_.front()[i];
    for (std::size_t s = 0; i == 0 && s < problem.src.size(); ++s)
      fill_tensor(const_cast<void*>(link.src[s]), problem.src[s], values, lane++, false);
    for (std::size_t p = 0; p < specs_[i].size(); ++p, ++lane) {
      const ParameterSpec& spec = specs_[i][p];
      const bool positive = spec.name == "gamma" || spec.name == "variance";
      fill_tensor(link.parameters[p], {spec.shape, DType::kF32}, values, lane, positive);
      if (has_bf16_copies_)
        fill_tensor(const_cast<Bf16*>(link.parameters_bf16[p]), {spec.shape, DType::kBf16}, values, lane, positive);
    }
    if (i + 1 == chain_.size() && problem.training) fill_tensor(link.diff_dst, problem.dst, values, lane++, false);
  }
  const std::size_t one = memory_.size() / copies_.size();
  for (std::size_t copy = 1; copy < copies_.size(); ++copy)
    device_.copy(memory_.data() + copy * one, memory_.data(), one);
  filled_ = false;
  for (int copy = 0; copy < copies(); ++copy) forward(copy);  // packs the parameters too
  filled_ = true;
  device_.synchronise();
}

DeviceStep NodeWork::device_step() const {
  return device_.is_cpu() ? DeviceStep{} : DeviceStep{device_.stream(), clock_};
}

void NodeWork::forward(int copy) {
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const LinkMemory& link = copies_[static_cast<std::size_t>(copy)][i];
    const bool reads_pictures = is_picture(chain_[i].problem.src.front());
    // In training the optimizer has written the parameters since the last forward; in inference nobody has.
    kernels_[i]->forward(
        {.step = {.training = is_training(), .seed = 1, .parameters_changed = is_training() || !filled_},
         .device = device_step(),
         .images = reads_pictures && device_.is_cpu() ? &images_ : nullptr,
         .device_images = reads_pictures && !device_.is_cpu() ? &device_images_ : nullptr,
         .src = link.src,
         .dst = link.dst,
         .parameters = link.parameters,
         .parameters_bf16 = link.parameters_bf16,
         .workspace = link.workspace,
         .scratchpad = scratchpad_,
         .packed = link.packed});
  }
}

void NodeWork::backward(int copy) {
  for (std::size_t i = chain_.size(); i-- > 0;) {
    const LinkMemory& link = copies_[static_cast<std::size_t>(copy)][i];
    kernels_[i]->backward({.step = {.training = true, .seed = 1},
                           .device = device_step(),
                           .src = link.src,
                           .dst = link.dst,
                           .diff_dst = link.diff_dst,
                           .diff_src = link.diff_src,
                           .diff_src_mode = diff_src_modes_[i],
                           .parameters = link.parameters_read,
                           .parameters_bf16 = link.parameters_bf16,
                           .diff_parameters = link.diff_parameters,
                           .workspace = link.workspace,
                           .scratchpad = scratchpad_,
                           .packed = link.packed});
  }
}

std::string NodeWork::backward_notes() const {
  std::string notes;
  for (const auto& kernel : kernels_) {
    const std::string note = kernel->backward_note();
    if (!notes.empty() && !note.empty()) notes += ", ";
    notes += note;
  }
  return notes;
}

std::vector<Tensor> NodeWork::results() const {
  const std::vector<LinkMemory>& copy = copies_.front();
  std::vector<Tensor> all = {{"dst", chain_.back().problem.dst, copy.back().dst}};
  if (!is_training()) return all;
  for (std::size_t s = 0; s < copy.front().diff_src.size(); ++s) {
    if (copy.front().diff_src[s] != nullptr && chain_.front().problem.diff_src_wanted[s])
      all.push_back({"diff src " + std::to_string(s), chain_.front().problem.src[s], copy.front().diff_src[s]});
  }
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    for (std::size_t p = 0; p < specs_[i].size(); ++p) {
      if (copy[i].diff_parameters[p] != nullptr)
        all.push_back({"diff " + specs_[i][p].name, {specs_[i][p].shape, DType::kF32}, copy[i].diff_parameters[p]});
    }
  }
  return all;
}

std::size_t NodeWork::parameter_bytes() const {
  std::size_t bytes = 0;
  for (const auto& specs : specs_) {
    for (const ParameterSpec& spec : specs)
      bytes += TensorDesc{spec.shape, has_bf16_copies_ ? DType::kBf16 : DType::kF32}.bytes();
  }
  return bytes;
}

double NodeWork::forward_bytes() const {
  std::size_t bytes = chain_.back().problem.dst.bytes() + parameter_bytes();
  for (const TensorDesc& src : chain_.front().problem.src) bytes += src.bytes();
  return static_cast<double>(bytes);
}

double NodeWork::backward_bytes() const {
  const Problem& first = chain_.front().problem;
  std::size_t bytes = chain_.back().problem.dst.bytes();
  bool wants_data = false;
  for (std::size_t s = 0; s < first.src.size(); ++s) {
    if (!first.diff_src_wanted[s]) continue;
    bytes += first.src[s].bytes();
    wants_data = true;
  }
  if (wants_data) bytes += parameter_bytes();
  bool wants_parameters = false;
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    for (const ParameterSpec& spec : specs_[i]) {
      if (!chain_[i].problem.diff_parameters_wanted || !spec.trainable) continue;
      bytes += TensorDesc{spec.shape, DType::kF32}.bytes();
      wants_parameters = true;
    }
  }
  if (wants_parameters) {
    for (const TensorDesc& src : first.src) bytes += src.bytes();
  }
  return static_cast<double>(bytes);
}

}  // namespace cudacards::bench
