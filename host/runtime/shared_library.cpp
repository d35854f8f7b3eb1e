#include "host/runtime/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

#include <filesystem>

namespace cudacards {

void SharedLibrary::Close::operator()(void* handle) const { dlclose(handle); }

SharedLibrary SharedLibrary::open(const std::vector<std::string>& names, const std::vector<std::string>& before,
                                  const std::vector<std::string>& after) {
  std::vector<std::string> files;
  const auto add_folders = [&](const std::vector<std::string>& folders) {
    for (const std::string& folder : folders) {
      for (const std::string& name : names) files.push_back(folder + "/" + name);
    }
  };
  add_folders(before);
  files.insert(files.end(), names.begin(), names.end());
  add_folders(after);

  SharedLibrary library;
  std::string broken;  // what the loader says of the first that is there
  for (const std::string& file : files) {
    library.handle_.reset(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (library.is_loaded()) return library;
    const char* reason = dlerror();
    std::error_code ignored;
    if (broken.empty() && reason != nullptr && std::filesystem::exists(file, ignored)) broken = reason;
  }
  library.missing_ = broken.empty() ? fmt::format("{} not found", fmt::join(names, " or ")) : broken;
  return library;
}

std::string SharedLibrary::path() const {
  link_map* map = nullptr;
  if (!handle_ || dlinfo(handle_.get(), RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return "";
  return map->l_name;
}

void* SharedLibrary::symbol(const char* name) const { return handle_ ? dlsym(handle_.get(), name) : nullptr; }

}  // namespace cudacards
