// Shuffles, votes, reductions and matrix instructions: all lanes of the mask bring their values, the last to arrive has
// them combined.

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "kernels/simt/emulator/machine.h"
#include "kernels/simt/mma_layout.h"

namespace cudacards::emulator {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;

struct ShuffleOperation {
  Shuffle kind;
  std::uint32_t value;
  int operand, width;
  const void* caller;
  std::uint32_t result = 0;

  /// PTX shfl: the lane that is read, or the own one where that lies outside the segment of `width` lanes.
  int source(int lane) const {
    const int begin = lane & ~(width - 1), end = begin + width;
    int from = lane;
    if (kind == Shuffle::kIndex) from = begin + (operand & (width - 1));
    if (kind == Shuffle::kUp) from = lane - operand;
    if (kind == Shuffle::kDown) from = lane + operand;
    if (kind == Shuffle::kXor) from = lane ^ operand;
    return from >= begin && from < end ? from : lane;
  }

  static void resolve(Machine& machine, int warp, unsigned mask, ShuffleOperation* const* lanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      const int from = lanes[lane]->source(lane);
      if ((mask >> from & 1) == 0) {
        return machine.fault_of(warp * kLanes + lane, FaultKind::kWarpMask,
                                "takes the value of lane " + std::to_string(from) + ", which is not in the mask",
                                lanes[lane]->caller);
      }
      lanes[lane]->result = lanes[from]->value;
    }
  }
};

struct VoteOperation {
  Vote kind;
  bool value;
  std::uint32_t result = 0;

  static void resolve(Machine&, int, unsigned mask, VoteOperation* const* lanes) {
    unsigned ballot = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) != 0 && lanes[lane]->value) ballot |= 1u << lane;
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      VoteOperation& mine = *lanes[lane];
      mine.result = mine.kind == Vote::kBallot ? ballot : mine.kind == Vote::kAll ? ballot == mask : ballot != 0;
    }
  }
};

struct ReduceOperation {
  Reduction kind;
  std::uint32_t value;
  std::uint32_t result = 0;

  static std::uint32_t combine(Reduction kind, std::uint32_t a, std::uint32_t b) {
    const auto sa = static_cast<std::int32_t>(a), sb = static_cast<std::int32_t>(b);
    switch (kind) {
      case Reduction::kAdd:
        return a + b;
      case Reduction::kMin:
        return std::min(a, b);
      case Reduction::kMax:
        return std::max(a, b);
      case Reduction::kMinSigned:
        return static_cast<std::uint32_t>(std::min(sa, sb));
      case Reduction::kMaxSigned:
        return static_cast<std::uint32_t>(std::max(sa, sb));
      case Reduction::kAnd:
        return a & b;
      case Reduction::kOr:
        return a | b;
      case Reduction::kXor:
        return a ^ b;
    }
    return a;
  }

  static void resolve(Machine&, int, unsigned mask, ReduceOperation* const* lanes) {
    const int first = std::countr_zero(mask);
    std::uint32_t total = lanes[first]->value;
    for (int lane = first + 1; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) != 0) total = combine(lanes[lane]->kind, total, lanes[lane]->value);
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) != 0) lanes[lane]->result = total;
    }
  }
};

float widen(std::uint16_t bits, const __nv_bfloat16*) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
float widen(std::uint16_t bits, const __half*) {
  __half_raw raw;
  raw.x = bits;
  return __half2float(__half(raw));
}

/// One instruction's sum for each element of D: products and sum in double, one rounding at the end. Tensor cores round
/// otherwise; tests bound it, or use integers, which are exact in both.
template <int kDepth>
struct Product {
  float a[kMmaM][kDepth], b[kDepth][kMmaN];

  template <class Lanes>
  void add_to(Lanes* const* lanes) const {
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const MmaPlace place = mma_c_place(lane, i);
        double sum = static_cast<double>(lanes[lane]->d[i]);
        for (int k = 0; k < kDepth; ++k)
          sum += static_cast<double>(a[place.row][k]) * static_cast<double>(b[k][place.column]);
        lanes[lane]->d[i] = static_cast<float>(sum);
      }
    }
  }
};

template <class T>
struct Mma16Operation {
  float* d;
  const std::uint32_t* a;
  const std::uint32_t* b;

  static float half(std::uint32_t reg, int which) {
    return widen(static_cast<std::uint16_t>(reg >> (16 * which)), static_cast<const T*>(nullptr));
  }
  static void resolve(Machine&, int, unsigned, Mma16Operation* const* lanes) {
    Product<16> product;
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int which = 0; which < 2; ++which) {
        for (int reg = 0; reg < 4; ++reg) {
          const MmaPlace at = mma16_a_place(lane, reg, which);
          product.a[at.row][at.column] = half(lanes[lane]->a[reg], which);
        }
        for (int reg = 0; reg < 2; ++reg) {
          const MmaPlace at = mma16_b_place(lane, reg, which);
          product.b[at.row][at.column] = half(lanes[lane]->b[reg], which);
        }
      }
    }
    product.add_to(lanes);
  }
};

struct Mma8Operation {
  float* d;
  const std::uint32_t* a;
  const std::uint32_t* b;

  /// The instruction ignores the lower 13 bits: it truncates what tf32_bits has not rounded.
  static float tf32(std::uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); }
  static void resolve(Machine&, int, unsigned, Mma8Operation* const* lanes) {
    Product<8> product;
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int reg = 0; reg < 4; ++reg) {
        const MmaPlace at = mma8_a_place(lane, reg);
        product.a[at.row][at.column] = tf32(lanes[lane]->a[reg]);
      }
      for (int reg = 0; reg < 2; ++reg) {
        const MmaPlace at = mma8_b_place(lane, reg);
        product.b[at.row][at.column] = tf32(lanes[lane]->b[reg]);
      }
    }
    product.add_to(lanes);
  }
};

struct LdmatrixOperation {
  std::uint32_t* to;
  int matrices;
  const std::byte* row;
  Transposed transposed;
  const void* caller;

  static void resolve(Machine& machine, int, unsigned, LdmatrixOperation* const* lanes) {
    const int matrices = lanes[0]->matrices;
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int matrix = 0; matrix < matrices; ++matrix) {
        std::uint32_t value = 0;
        for (int half = 0; half < 2; ++half) {
          const MmaPlace at = ldmatrix_place(lane, half, lanes[0]->transposed == Transposed::kYes);
          std::uint16_t element;
          std::memcpy(&element, lanes[8 * matrix + at.row]->row + 2 * at.column, sizeof element);
          value |= static_cast<std::uint32_t>(element) << (16 * half);
        }
        lanes[lane]->to[matrix] = value;
      }
    }
    if (!machine.counts_traffic()) return;
    for (int matrix = 0; matrix < matrices; ++matrix) {  // eight rows of 16 bytes are one pass over the banks
      std::vector<const void*> rows;
      for (int i = 0; i < 8; ++i) rows.push_back(lanes[8 * matrix + i]->row);
      machine.requests.add_whole(lanes[0]->caller, Flow::kSharedLoad, rows, 16);
    }
  }
};

}  // namespace

std::uint32_t shuffle(Shuffle kind, unsigned mask, std::uint32_t value, int operand, int width, const void* caller) {
  ShuffleOperation operation{kind, value, operand, width, caller};
  warp_operation(operation, mask, caller);
  return operation.result;
}

std::uint32_t vote(Vote kind, unsigned mask, bool value, const void* caller) {
  VoteOperation operation{kind, value};
  warp_operation(operation, mask, caller);
  return operation.result;
}

unsigned active_mask() { return 1u << (Machine::instance().thread() % kLanes); }

std::uint32_t reduce(Reduction kind, unsigned mask, std::uint32_t value, const void* caller) {
  ReduceOperation operation{kind, value};
  warp_operation(operation, mask, caller);
  return operation.result;
}

template <class T>
void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], const void* caller) {
  Mma16Operation<T> operation{d, a, b};
  warp_operation(operation, kAllLanes, caller);
}
template void mma_m16n8k16<__nv_bfloat16>(float (&)[4], const std::uint32_t (&)[4], const std::uint32_t (&)[2],
                                          const void*);
template void mma_m16n8k16<__half>(float (&)[4], const std::uint32_t (&)[4], const std::uint32_t (&)[2], const void*);

void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], const void* caller) {
  Mma8Operation operation{d, a, b};
  warp_operation(operation, kAllLanes, caller);
}

void ldmatrix(std::uint32_t* to, int matrices, const void* row, Transposed transposed, const void* caller) {
  Machine& machine = Machine::instance();
  const int lane = machine.thread() % kLanes;
  if (lane < 8 * matrices) {
    machine.check_space(row, 16, Space::kShared, caller);
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0)
      machine.fault(FaultKind::kMisaligned, "a row of ldmatrix at an address that is no multiple of 16", caller);
    if (Finding finding = machine.memory.find(row)->access(machine.clock, machine.thread(), row, 16, Access::kRead))
      machine.fault(finding.kind, std::move(finding.detail), caller);
    ++machine.counting_into->accesses;
  }
  LdmatrixOperation operation{to, matrices, static_cast<const std::byte*>(row), transposed, caller};
  warp_operation(operation, kAllLanes, caller);
}

}  // namespace cudacards::emulator
