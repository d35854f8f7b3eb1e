#pragma once
// cuBLASLt's functions, as its header declares them, from the library that this machine has.

#include <cublasLt.h>

#include <string>
#include <vector>

#include "host/ops/vendor/loaded_library.h"

namespace cudacards::cublaslt {

#define CUDACARDS_CUBLASLT_FUNCTIONS(X) \
  X(GetVersion)                         \
  X(GetStatusString)                    \
  X(Create)                             \
  X(MatmulDescCreate)                   \
  X(MatmulDescDestroy)                  \
  X(MatmulDescSetAttribute)             \
  X(MatrixLayoutCreate)                 \
  X(MatrixLayoutDestroy)                \
  X(MatmulPreferenceCreate)             \
  X(MatmulPreferenceDestroy)            \
  X(MatmulPreferenceSetAttribute)       \
  X(MatmulAlgoGetHeuristic)             \
  X(MatmulAlgoConfigGetAttribute)       \
  X(Matmul)

#define CUDACARDS_CUBLASLT_MEMBER(name) decltype(&::cublasLt##name) name = nullptr;
struct Functions {
  CUDACARDS_CUBLASLT_FUNCTIONS(CUDACARDS_CUBLASLT_MEMBER)
};
#undef CUDACARDS_CUBLASLT_MEMBER

using Library = LoadedLibrary<Functions>;

/// Enumerations only grow, but structures may differ between major versions: the header's own is asked for.
constexpr std::size_t kMajorVersion = CUBLAS_VER_MAJOR;

/// Searches `before`, the loader's path, `after`. Never throws: Library::missing says why there is none.
Library load_library(const std::vector<std::string>& before, const std::vector<std::string>& after);
/// This machine's, looked for once; kept until the program ends.
const Library& library();

}  // namespace cudacards::cublaslt
