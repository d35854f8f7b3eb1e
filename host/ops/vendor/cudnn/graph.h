#pragma once
// What cuDNN is asked for, as a value: tensors and the operations between them. Nothing here calls cuDNN, so that every
// size, stride and padding that it gets can be tested without it.
//
// cuDNN writes sizes as N,C,H,W (weights: K,C/groups,R,S) whatever the order in memory, which the strides tell.

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cudacards::cudnn {

using Sizes = std::array<std::int64_t, 4>;
using Pair = std::array<std::int64_t, 2>;  // rows, columns

/// The strides of N,C,H,W sizes whose channels lie side by side in memory: NHWC activations, KRSC weights.
constexpr Sizes channels_last(const Sizes& s) { return {s[1] * s[2] * s[3], 1, s[1] * s[3], s[1]}; }

/// Names of tensors, and what cuDNN calls their unique id.
enum class Id : std::int64_t {
  kNone,
  kSrc,
  kWeights,
  kBias,
  kDst,
  kSum,
  kBiased,
  kIndex,
  kDiffDst,
  kDiffSrc,
  // of a batch norm
  kGamma,
  kBeta,
  kMean,
  kVariance,
  kRstd,  // 1 / sqrt(variance + epsilon)
  kEpsilon,
  kSpread,  // variance + epsilon
  kCentred,
  kNormal,
  kScaled,
  kShifted,
  kDiffGamma,
  kDiffBeta
};

struct Tensor {
  Id id = Id::kNone;
  Sizes sizes{};
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  bool is_virtual = false;  // lives inside the graph: nobody has memory for it
  bool is_number = false;   // read from the host's memory when the graph is enqueued
  bool operator==(const Tensor&) const = default;
};

enum class Direction : std::uint8_t { kForward, kBackwardData, kBackwardWeights };

/// Cross-correlation of the tensors in the roles that they have forward. Groups follow from the channels of src and of
/// the weights.
struct Convolution {
  Direction direction = Direction::kForward;
  Id src = Id::kSrc, weights = Id::kWeights, dst = Id::kDst;
  Pair stride{1, 1}, pad_before{}, pad_after{};
  bool operator==(const Convolution&) const = default;
};

/// dst = src (operation) other, element by element; what has one element along a dimension is broadcast along it.
struct Pointwise {
  enum class Kind : std::uint8_t { kAdd, kSubtract, kMultiply, kReciprocalRoot };
  Kind kind = Kind::kAdd;
  Id src = Id::kNone, other = Id::kNone, dst = Id::kNone;  // 1 / sqrt(src) has no other
  bool operator==(const Pointwise&) const = default;
};

/// dst = src clamped to [0, upper].
struct Relu {
  Id src, dst;
  std::optional<double> upper = std::nullopt;
  bool operator==(const Relu&) const = default;
};

/// dst = the sum of src over the dimensions in which dst has one element.
struct Sum {
  Id src, dst;
  bool operator==(const Sum&) const = default;
};

/// Windows without padding. A max pool's index is the winner's place in its window, the first of equals in row order.
struct Pool {
  enum class Kind : std::uint8_t { kMax, kAverage };
  Kind kind = Kind::kMax;
  bool backward = false;
  Id src, dst;           // backward: their gradients
  Id index = Id::kNone;  // of a max pool: written forward where it is wanted, read backward
  Pair window{1, 1}, stride{1, 1};
  bool operator==(const Pool&) const = default;
};

/// dst = gamma * (src - mean) * rstd + beta with the batch's mean and rstd, which are results too.
struct NormForward {
  Id src, gamma, beta, epsilon, mean, rstd, dst;
  bool operator==(const NormForward&) const = default;
};

/// The gradients of all three, from what NormForward found.
struct NormBackward {
  Id src, diff_dst, gamma, mean, rstd, diff_src, diff_gamma, diff_beta;
  bool operator==(const NormBackward&) const = default;
};

using Node = std::variant<Convolution, Pointwise, Relu, Sum, Pool, NormForward, NormBackward>;

struct Graph {
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  bool operator==(const Graph&) const = default;

  const Tensor& tensor(Id id) const;
};

/// Every value in it: the key under which its plan is kept, and what a message shows.
std::string to_string(const Graph& graph);

}  // namespace cudacards::cudnn
