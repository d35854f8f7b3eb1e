// Which problem gets which kernel, and what is refused.

#include "kernels/conv_pool/conv_pool.h"

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/base/sizes.h"
#include "kernels/conv_pool/internal.h"

namespace cudacards {
namespace {

constexpr std::int64_t kMostElements = std::numeric_limits<int>::max();  // of a picture, and of a grid's blocks

Status refused(const char* function, const std::string& reason) {
  return Status::failed(std::string(function) + ": " + reason);
}

bool needs_dst(const ConvPoolProblem& p) { return p.activation != Activation::kNone; }

bool fits_tensor_cores(const ConvPoolProblem& p, DType type) { return type == DType::kBf16 && p.conv.k % 8 == 0; }

Status partial_sums(const ConvPoolProblem& p, DType type, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  switch (conv_pool_backward_weights_path(p, type)) {
    case ConvPoolPath::kTensorCores:
      return conv_pool::backward_weights_tensor(p, splits, args, stream);
    case ConvPoolPath::kNarrow:
      return conv_pool::backward_weights_narrow(p, splits, args, stream);
    case ConvPoolPath::kSimt:
      break;
  }
  return conv_pool::backward_weights_simt(p, type, splits, args, stream);
}

}  // namespace

Verdict conv_pool_supports(const ConvPoolProblem& p, DType type) {
  const Conv2dProblem& conv = p.conv;
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no fused convolution and pool to ") + name_of(type));
  if (conv.r != 3 || conv.s != 3) return Verdict::no("the filter must be 3 x 3");
  if (conv.stride_h != 1 || conv.stride_w != 1) return Verdict::no("the stride must be 1");
  if (conv.pad != Padding2d{1, 1, 1, 1}) return Verdict::no("the padding must be one pixel on every side");
  if (conv.groups != 1) return Verdict::no("no groups");
  if (p.weight_splits < 0) return Verdict::no("less than 0 splits");
  if (conv.n < 1 || conv.c < 1 || conv.k < 1) return Verdict::no("an empty batch, no channels or no filters");
  if (conv.h < 2 || conv.w < 2) return Verdict::no("a picture must have a window of 2 x 2 at least");
  const std::int64_t channels = std::max(conv.c, conv.k);
  // No tile has fewer than 8 x 8 pixels or 32 channels, so the number of blocks is bounded with the elements.
  if (product_exceeds(kMostElements, {conv.h, conv.w, channels}))
    return Verdict::no("more than 2^31 - 1 elements in a picture");
  if (product_exceeds(kMostElements, {conv.k, 9, conv.c})) return Verdict::no("more than 2^31 - 1 weights");
  if (product_exceeds(kMostElements, {(conv.h + 7) / 8, (conv.w + 15) / 16, conv.n, (channels + 31) / 32}))
    return Verdict::no("more than 2^31 - 1 blocks");
  return Verdict::yes();
}

ConvPoolPath conv_pool_forward_path(const ConvPoolProblem& p, DType type) {
  if (!fits_tensor_cores(p, type)) return ConvPoolPath::kSimt;
  if (p.conv.c <= 4) return ConvPoolPath::kNarrow;
  return p.conv.c % 16 == 0 && p.source == ConvPoolSource::kAsDst ? ConvPoolPath::kTensorCores : ConvPoolPath::kSimt;
}

Status conv_pool_forward(const ConvPoolProblem& p, DType type, const ConvPoolForwardArgs& args, Stream stream) {
  if (const Verdict verdict = conv_pool_supports(p, type); !verdict)
    return refused("conv_pool_forward", verdict.reason());
  if (Status status =
          check_arrays("conv_pool_forward", {{"src", args.src}, {"weights", args.weights}, {"dst", args.dst}},
                       {{"bias", args.bias}, {"argmax", args.argmax}});
      !status)
    return status;
  switch (conv_pool_forward_path(p, type)) {
    case ConvPoolPath::kTensorCores:
      return conv_pool::forward_tensor(p, args, stream);
    case ConvPoolPath::kNarrow:
      return conv_pool::forward_narrow(p, args, stream);
    case ConvPoolPath::kSimt:
      break;
  }
  return conv_pool::forward_simt(p, type, args, stream);
}

Verdict conv_pool_backward_data_supports(const ConvPoolProblem& p, DType type) {
  if (p.source == ConvPoolSource::kU8) return Verdict::no("no gradient of uint8 pictures");
  return conv_pool_supports(p, type);
}

ConvPoolPath conv_pool_backward_data_path(const ConvPoolProblem& p, DType type) {
  return fits_tensor_cores(p, type) && p.conv.c % 8 == 0 ? ConvPoolPath::kTensorCores : ConvPoolPath::kSimt;
}

Status conv_pool_backward_data(const ConvPoolProblem& p, DType type, const ConvPoolDataArgs& args, Stream stream) {
  if (const Verdict verdict = conv_pool_backward_data_supports(p, type); !verdict)
    return refused("conv_pool_backward_data", verdict.reason());
  if (args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status = check_arrays("conv_pool_backward_data", {{"diff_dst", args.diff_dst},
                                                               {"dst", needs_dst(p) ? args.dst : args.diff_dst},
                                                               {"argmax", args.argmax},
                                                               {"weights", args.weights},
                                                               {"diff_src", args.diff_src}});
      !status)
    return status;
  return conv_pool_backward_data_path(p, type) == ConvPoolPath::kTensorCores
             ? conv_pool::backward_data_tensor(p, args, stream)
             : conv_pool::backward_data_simt(p, type, args, stream);
}

Verdict conv_pool_backward_weights_supports(const ConvPoolProblem& p, DType type) {
  return conv_pool_supports(p, type);
}

ConvPoolPath conv_pool_backward_weights_path(const ConvPoolProblem& p, DType type) {
  if (!fits_tensor_cores(p, type)) return ConvPoolPath::kSimt;
  if (p.conv.c <= 4) return ConvPoolPath::kNarrow;
  return p.conv.c % 8 == 0 && p.source == ConvPoolSource::kAsDst ? ConvPoolPath::kTensorCores : ConvPoolPath::kSimt;
}

int conv_pool_weight_splits(const ConvPoolProblem& p, DType type, const ConvPoolTuning& tuning) {
  using namespace conv_pool;
  const auto splits = [&](std::int64_t tiles, std::int64_t wanted, std::int64_t blocks) {
    const std::int64_t chosen = p.weight_splits > 0 ? p.weight_splits : std::max<std::int64_t>(1, wanted / blocks);
    return static_cast<int>(std::min(tiles, chosen));
  };
  switch (conv_pool_backward_weights_path(p, type)) {
    case ConvPoolPath::kTensorCores:
      return splits(weights_tensor_tiles(p), tuning.weights_blocks, weights_tensor_blocks(p));
    case ConvPoolPath::kNarrow:
      return splits(weights_narrow_tiles(p), tuning.narrow_weights_blocks, weights_narrow_blocks(p));
    case ConvPoolPath::kSimt:
      break;
  }
  return splits(weights_simt_tiles(p), tuning.weights_blocks, weights_simt_blocks(p));
}

std::size_t conv_pool_workspace_bytes(const ConvPoolProblem& p, DType type) {
  if (!conv_pool_backward_weights_supports(p, type)) return 0;
  const std::int64_t elements = conv_pool_weight_splits(p, type) * (p.conv.weight_elements() + p.conv.k);
  return static_cast<std::size_t>(elements) * sizeof(float);
}

Status conv_pool_backward_weights(const ConvPoolProblem& p, DType type, const ConvPoolWeightsArgs& args,
                                  Stream stream) {
  if (const Verdict verdict = conv_pool_backward_weights_supports(p, type); !verdict)
    return refused("conv_pool_backward_weights", verdict.reason());
  if (args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status = check_arrays("conv_pool_backward_weights",
                                   {{"src", args.src},
                                    {"diff_dst", args.diff_dst},
                                    {"dst", needs_dst(p) ? args.dst : args.diff_dst},
                                    {"argmax", args.argmax},
                                    {"diff_weights", args.diff_weights},
                                    {"workspace", args.workspace}},
                                   {{"diff_bias", args.diff_bias}});
      !status)
    return status;
  const int splits = conv_pool_weight_splits(p, type);
  const Status partial = partial_sums(p, type, splits, args, stream);
  return partial ? conv_pool::reduce_weights(p, splits, args, stream) : partial;
}

}  // namespace cudacards
