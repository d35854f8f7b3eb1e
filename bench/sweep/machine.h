#pragma once
// What a sweep asks of the machine that it runs on. CUDA's is in machine_cuda.cpp; tests bring the emulator and a clock
// of their own.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "kernels/base/arch.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"

namespace cudacards::sweep {

using Launch = std::function<Status(Stream)>;

class Machine {
 public:
  virtual ~Machine() = default;
  virtual std::string gpu() const = 0;  // "NVIDIA H200"
  virtual Arch arch() const = 0;
  virtual int multiprocessors() const = 0;

  /// Throws Error where there is not enough.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;

  /// Launches once and waits; what goes wrong in the kernel is in the status too.
  virtual Status run(const Launch& launch) = 0;
  /// The median of many launches, each with nothing of its arrays in the second-level cache.
  virtual double microseconds(const Launch& launch) = 0;
};

/// The first GPU. Throws Error that says why there is none.
std::unique_ptr<Machine> cuda_machine();

}  // namespace cudacards::sweep
