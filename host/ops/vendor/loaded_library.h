#pragma once
// A library of NVIDIA's as a table of its functions, loaded at first use. The table's types are the headers' own
// declarations; a library that lacks one of them, or is older than what the code needs, is not used, and says why.

#include <string>
#include <vector>

#include "host/runtime/cuda_folders.h"
#include "host/runtime/shared_library.h"

namespace cudacards {

template <class Functions>
struct LoadedLibrary {
  SharedLibrary library;
  Functions functions{};
  std::string version;  // "9.19.0"; empty where nothing is loaded
  std::string missing;  // why it cannot be used; empty where it can

  bool is_usable() const { return missing.empty(); }
};

/// Looked for by these names; `before` is searched first.
struct LibraryNames {
  std::vector<std::string> names;  // "libcudnn.so.9"
  std::string advice;              // what to install, "install cuDNN 9"
};

/// Opens the library and fills the table with `load_all`, which returns the name of the first function that is missing.
template <class Functions, class LoadAll>
LoadedLibrary<Functions> open_library(const LibraryNames& wanted, LoadAll load_all,
                                      const std::vector<std::string>& before, const std::vector<std::string>& after) {
  LoadedLibrary<Functions> loaded;
  loaded.library = SharedLibrary::open(wanted.names, before, after);
  if (!loaded.library.is_loaded()) {
    loaded.missing =
        loaded.library.missing() + " (" + wanted.advice + ", or name its folder in " + kCudaFoldersVariable + ")";
  } else if (const char* function = load_all(loaded.library, loaded.functions); function != nullptr) {
    loaded.missing = loaded.library.path() + " lacks " + function;
  }
  return loaded;
}

}  // namespace cudacards
