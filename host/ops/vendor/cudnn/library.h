#pragma once
// cuDNN's functions, as its header declares them, from the library that this machine has.

#include <cudnn.h>

#include <string>
#include <vector>

#include "host/ops/vendor/loaded_library.h"

namespace cudacards::cudnn {

#define CUDACARDS_CUDNN_FUNCTIONS(X) \
  X(GetVersion)                      \
  X(GetErrorString)                  \
  X(GetLastErrorString)              \
  X(Create)                          \
  X(Destroy)                         \
  X(SetStream)                       \
  X(BackendCreateDescriptor)         \
  X(BackendDestroyDescriptor)        \
  X(BackendSetAttribute)             \
  X(BackendGetAttribute)             \
  X(BackendFinalize)                 \
  X(BackendExecute)                  \
  X(CreateTensorDescriptor)          \
  X(DestroyTensorDescriptor)         \
  X(SetTensor4dDescriptor)           \
  X(SoftmaxForward)                  \
  X(SoftmaxBackward)

#define CUDACARDS_CUDNN_MEMBER(name) decltype(&::cudnn##name) name = nullptr;
struct Functions {
  CUDACARDS_CUDNN_FUNCTIONS(CUDACARDS_CUDNN_MEMBER)
};
#undef CUDACARDS_CUDNN_MEMBER

using Library = LoadedLibrary<Functions>;

/// The oldest that can say how much memory an engine needs before its kernels are compiled.
constexpr std::size_t kOldestVersion = 90200;

/// Searches `before`, the loader's path, `after`. Never throws: Library::missing says why there is none.
Library load_library(const std::vector<std::string>& before, const std::vector<std::string>& after);
/// This machine's, looked for once; kept until the program ends.
const Library& library();

/// "9.19.0" of 91900.
std::string version_text(std::size_t version);

}  // namespace cudacards::cudnn
