#pragma once
// What every launcher asks of the arrays that it is given, before anything is started: a null pointer or a misaligned
// vector would end the whole context on a GPU, somewhere later.

#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/base/status.h"

namespace cudacards {

struct NamedArray {
  const char* name;
  const void* memory;
  int alignment = 16;  // bytes: 16 where vectors are moved, else the element's size
};

/// `needed` must not be null; `optional` may be. The error names the function and the array.
inline Status check_arrays(const char* function, std::initializer_list<NamedArray> needed,
                           std::initializer_list<NamedArray> optional = {}) {
  for (const auto& arrays : {needed, optional}) {
    for (const NamedArray& array : arrays) {
      if (reinterpret_cast<std::uintptr_t>(array.memory) % static_cast<unsigned>(array.alignment) != 0)
        return Status::failed(std::string(function) + ": " + array.name + " must be " +
                              std::to_string(array.alignment) + "-byte aligned");
    }
  }
  for (const NamedArray& array : needed) {
    if (array.memory == nullptr) return Status::failed(std::string(function) + ": " + array.name + " must be given");
  }
  return Status::ok();
}

}  // namespace cudacards
