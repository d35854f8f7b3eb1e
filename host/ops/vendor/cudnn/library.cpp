#include "host/ops/vendor/cudnn/library.h"

#include <fmt/format.h>

namespace cudacards::cudnn {
namespace {

const char* load_all(const SharedLibrary& library, Functions& functions) {
#define CUDACARDS_CUDNN_LOAD(name) \
  if (!library.load(functions.name, "cudnn" #name)) return "cudnn" #name;
  CUDACARDS_CUDNN_FUNCTIONS(CUDACARDS_CUDNN_LOAD)
#undef CUDACARDS_CUDNN_LOAD
  return nullptr;
}

}  // namespace

std::string version_text(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

Library load_library(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const LibraryNames wanted = {{"libcudnn.so.9"}, "install cuDNN 9"};
  Library loaded = open_library<Functions>(wanted, load_all, before, after);
  if (loaded.functions.GetVersion == nullptr) return loaded;
  const std::size_t version = loaded.functions.GetVersion();
  loaded.version = version_text(version);
  // An incomplete library of that age is first of all too old.
  if (version < kOldestVersion) {
    loaded.missing = fmt::format("{} is version {}, and {} or later is needed", loaded.library.path(), loaded.version,
                                 version_text(kOldestVersion));
  }
  return loaded;
}

const Library& library() {
  // Never unloaded: it holds memory of the CUDA runtime, which ends in its own order.
  static const Library& loaded = *new Library(load_library(wanted_cuda_folders(), usual_cuda_folders()));
  return loaded;
}

}  // namespace cudacards::cudnn
