#include "host/ops/vendor/cublaslt/library.h"

#include <fmt/format.h>

namespace cudacards::cublaslt {
namespace {

const char* load_all(const SharedLibrary& library, Functions& functions) {
#define CUDACARDS_CUBLASLT_LOAD(name) \
  if (!library.load(functions.name, "cublasLt" #name)) return "cublasLt" #name;
  CUDACARDS_CUBLASLT_FUNCTIONS(CUDACARDS_CUBLASLT_LOAD)
#undef CUDACARDS_CUBLASLT_LOAD
  return nullptr;
}

}  // namespace

Library load_library(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const std::string name = fmt::format("libcublasLt.so.{}", kMajorVersion);
  const LibraryNames wanted = {{name}, fmt::format("install cuBLAS {}", kMajorVersion)};
  Library loaded = open_library<Functions>(wanted, load_all, before, after);
  if (loaded.functions.GetVersion == nullptr) return loaded;
  // 130100 is 13.1.0; CUDA 12's and older count the same way.
  const std::size_t version = loaded.functions.GetVersion();
  loaded.version = fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
  if (version / 10000 != kMajorVersion) {
    loaded.missing =
        fmt::format("{} is version {}, and this build needs {}", loaded.library.path(), loaded.version, kMajorVersion);
  }
  return loaded;
}

const Library& library() {
  // Never unloaded: it holds memory of the CUDA runtime, which ends in its own order.
  static const Library& loaded = *new Library(load_library(wanted_cuda_folders(), usual_cuda_folders()));
  return loaded;
}

}  // namespace cudacards::cublaslt
