#pragma once
// How a vendor's implementations are made: the constructor of a kernel asks the library for all that it needs and
// throws Refused where the library cannot do it, so that one piece of code decides supports() and make().

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>

#include "host/ops/operation.h"
#include "host/runtime/buffer.h"

namespace cudacards::vendor {

/// A library cannot do a problem, or not in a way that is allowed. supports() turns it into the Verdict.
class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class KernelType, class OperationType>
Verdict supports_by_making(const Operation& operation, const Problem& problem) {
  try {
    KernelType(static_cast<const OperationType&>(operation), problem);
    return Verdict::yes();
  } catch (const Refused& refused) {
    return Verdict::no(refused.what());
  }
}

template <class KernelType, class OperationType>
std::unique_ptr<Kernel> make_kernel(const Operation& operation, const Problem& problem) {
  return std::make_unique<KernelType>(static_cast<const OperationType&>(operation), problem);
}

/// Regions of one block of memory, each aligned.
class Layout {
 public:
  /// Returns the offset of a new region.
  std::size_t take(std::size_t bytes) { return std::exchange(bytes_, bytes_ + align_up(bytes)); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

// What NVIDIA's libraries want of a workspace's address; the plan's regions are aligned to less.
constexpr std::size_t kWorkspaceAlignment = 256;

/// Bytes to ask for, so that workspace_in() finds `bytes` of them.
constexpr std::size_t padded_workspace(std::size_t bytes) {
  return bytes == 0 ? 0 : bytes + kWorkspaceAlignment - kAlignment;
}
inline void* workspace_in(void* region) {
  const auto address = reinterpret_cast<std::uintptr_t>(region);
  return reinterpret_cast<void*>((address + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment);
}

template <class T>
T* at(void* base, std::size_t offset) {
  return reinterpret_cast<T*>(static_cast<std::byte*>(base) + offset);
}

}  // namespace cudacards::vendor
