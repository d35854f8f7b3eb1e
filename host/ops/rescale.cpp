#include <algorithm>

#include <fmt/format.h>

#include "host/ops/augment_pixels.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/rescale.h"
#include "host/ops/sources.h"
#include "host/runtime/buffer.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

/// What both implementations share: the sizes, and a loop over pictures that share nothing.
class RescaleKernel : public Kernel {
 public:
  RescaleKernel(const Rescale& op, const Problem& problem)
      : normalisation_{op.scale, op.offset}, dst_(problem.dst), threads_(std::max(problem.threads, threads())) {}

  MemoryNeed memory() const override {
    return {.scratchpad = scratch_bytes() * static_cast<std::size_t>(threads_), .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    CUDACARDS_CHECK(args.images != nullptr);
    const ImageBatch& batch = *args.images;
    CUDACARDS_CHECK(static_cast<std::int64_t>(batch.images.size()) == dst_.shape[0]);
    CUDACARDS_CHECK(batch.transforms.empty() || batch.transforms.size() == batch.images.size());
    if (dst_.type == DType::kBf16) {
      run(batch, static_cast<Bf16*>(args.dst), static_cast<std::byte*>(args.scratchpad));
    } else {
      run(batch, static_cast<float*>(args.dst), static_cast<std::byte*>(args.scratchpad));
    }
  }

 protected:
  virtual void view(const std::uint8_t* src, const ImageTransform& transform, std::byte* scratch, float* dst) const = 0;
  virtual void view(const std::uint8_t* src, const ImageTransform& transform, std::byte* scratch, Bf16* dst) const = 0;
  virtual std::size_t scratch_bytes() const { return 0; }

  int height() const { return static_cast<int>(dst_.shape[1]); }
  int width() const { return static_cast<int>(dst_.shape[2]); }

  const Normalisation normalisation_;

 private:
  template <class T>
  void run(const ImageBatch& batch, T* dst, std::byte* scratchpad) const {
    static const ImageTransform kAsItIs;
    const std::int64_t values = dst_.shape.elements() / dst_.shape[0];
    parallel_ranges(dst_.shape[0], [&](std::int64_t begin, std::int64_t end, int thread) {
      std::byte* scratch = scratchpad + static_cast<std::size_t>(thread) * scratch_bytes();
      for (std::int64_t n = begin; n < end; ++n) {
        const auto i = static_cast<std::size_t>(n);
        view(batch.images[i], batch.transforms.empty() ? kAsItIs : batch.transforms[i], scratch, dst + n * values);
      }
    });
  }

  TensorDesc dst_;
  int threads_;
};

class AugmentKernel final : public RescaleKernel {
 public:
  using RescaleKernel::RescaleKernel;

 private:
  std::size_t scratch_bytes() const override { return augment_scratch_bytes(height(), width()); }
  void view(const std::uint8_t* src, const ImageTransform& transform, std::byte* scratch, float* dst) const override {
    augment_picture(src, height(), width(), transform, normalisation_, scratch, dst);
  }
  void view(const std::uint8_t* src, const ImageTransform& transform, std::byte* scratch, Bf16* dst) const override {
    augment_picture(src, height(), width(), transform, normalisation_, scratch, dst);
  }
};

class ReferenceKernel final : public RescaleKernel {
 public:
  using RescaleKernel::RescaleKernel;

 private:
  void view(const std::uint8_t* src, const ImageTransform& transform, std::byte*, float* dst) const override {
    view_each(src, transform, dst);
  }
  void view(const std::uint8_t* src, const ImageTransform& transform, std::byte*, Bf16* dst) const override {
    view_each(src, transform, dst);
  }

  template <class T>
  void view_each(const std::uint8_t* src, const ImageTransform& transform, T* dst) const {
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) {
        for (int c = 0; c < 3; ++c) {
          const float pixel = reference::viewed_pixel<float>(src, height(), width(), transform, y, x, c);
          *dst++ = T(pixel * normalisation_.scale + normalisation_.offset);
        }
      }
    }
  }
};

Verdict supports(const Operation&, const Problem&) { return Verdict::yes(); }

template <class K>
std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  const auto* op = dynamic_cast<const Rescale*>(&operation);
  CUDACARDS_CHECK(op != nullptr);
  return std::make_unique<K>(*op, problem);
}

}  // namespace

Shape Rescale::infer_shape(std::span<const Shape> src) const {
  const Shape& pictures = only_picture_source(src);
  if (pictures[3] != 3)
    throw Error(fmt::format("rescaling reads pictures of 3 channels, got {}", pictures.to_string()));
  return pictures;
}

std::span<const Implementation> Rescale::implementations(DeviceKind device) const {
  static const std::array kCpu = {
      Implementation{.name = "cpu:augment", .family = "hand", .supports = supports, .make = make<AugmentKernel>},
      Implementation{.name = "reference", .family = "reference", .supports = supports, .make = make<ReferenceKernel>}};
  static const std::array kDevice = {kCudaRescale, kCudaReferenceRescale};
  if (device != DeviceKind::kCpu) return kDevice;
  return kCpu;
}

}  // namespace cudacards
