#pragma once
// A table of tuning numbers as a question: candidate rows, and experiments that tell them apart.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/sweep/problems.h"
#include "kernels/base/arch.h"
#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"

namespace cudacards::sweep {

enum class Role : std::uint8_t {
  kInput,    // filled with random numbers
  kOutput,   // compared
  kScratch,  // neither
};
struct Array {
  std::string name;
  std::int64_t elements = 0;  // of scratch: bytes
  DType type = DType::kF32;
  Role role = Role::kInput;
  int below = 256;  // of kU8
};

/// In the order of the experiment's arrays.
using Pointers = std::vector<void*>;

/// How far a choice's results may be from those of the experiment's first.
enum class Agreement : std::uint8_t {
  kSameBytes,
  kSameSums,  // added up in another order: within the bound of fp32 sums
};

struct Choice {
  std::string name;  // "128x64"
  std::function<Status(const Pointers&, Stream)> launch;
  Agreement agreement = Agreement::kSameBytes;
};

/// One problem, run in several ways.
struct Experiment {
  std::string name;        // "forward 56x56x64->128 3x3/1 N=32 bf16"
  std::int64_t terms = 1;  // of a sum
  std::vector<Array> arrays;
  std::vector<Choice> choices;             // each once
  std::vector<std::size_t> choice_of_row;  // which choice a candidate row comes to
};

enum class Scope : std::uint8_t {
  kArchitecture,  // the row of the GPU at hand is written
  kAllMachines,   // the numbers decide the order of sums everywhere: a change is proposed
};

struct Study {
  std::string table;   // "kDepthwiseTuning"
  std::string header;  // "kernels/depthwise/tuning.h"
  Scope scope = Scope::kArchitecture;
  std::vector<std::string> rows;  // ".forward_blocks = 1056, ...", as in the header. The first is in force
  std::vector<Experiment> experiments;
};

struct Facts {
  Arch arch;
  int multiprocessors = 1;
};

Study conv2d_tiles(const std::vector<Conv2dProblem>& problems, const Facts& facts);
Study conv2d_slice_lengths(const std::vector<Conv2dProblem>& problems, const Facts& facts);
Study conv_pool_splits(const std::vector<ConvPoolProblem>& problems, const Facts& facts);
Study matmul_plans(const std::vector<DenseProblem>& problems, const Facts& facts);
Study depthwise_blocks(const std::vector<Conv2dProblem>& problems, const Facts& facts);
Study pool_blocks(const std::vector<Pool2dProblem>& problems, const Facts& facts);
Study elementwise_blocks(const std::vector<std::int64_t>& elements, const Facts& facts);

/// All of them.
std::vector<Study> studies_of(const Problems& problems, const Facts& facts);

}  // namespace cudacards::sweep
