#include "host/runtime/cuda_folders.h"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace cudacards {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Paths that match, sorted.
std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

/// Of a list as PATH is one.
std::vector<std::string> folders_in(const std::string& list) {
  std::vector<std::string> folders;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) folders.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return folders;
}

/// "/opt/venv" where `python3` means /opt/venv/bin/python3: an environment that is in use without being activated.
std::string root_of_python() {
  for (const std::string& folder : folders_in(environment("PATH"))) {
    std::error_code ignored;
    if (fs::exists(fs::path(folder) / "python3", ignored)) return fs::path(folder).parent_path().string();
  }
  return "";
}

}  // namespace

std::vector<std::string> wanted_cuda_folders() { return folders_in(environment(kCudaFoldersVariable)); }

std::vector<std::string> usual_cuda_folders() {
  std::vector<std::string> folders;
  for (const std::string& root : {environment("CUDA_HOME"), environment("CUDA_PATH"), std::string("/usr/local/cuda")}) {
    std::error_code ignored;
    if (!root.empty() && fs::is_directory(root + "/lib64", ignored)) folders.push_back(root + "/lib64");
  }
  const std::string active = environment("VIRTUAL_ENV"), conda = environment("CONDA_PREFIX"),
                    home = environment("HOME");
  const std::string of_user = home.empty() ? "" : home + "/.local";
  std::vector<std::string> roots;
  for (const std::string& root :
       {active, conda, root_of_python(), of_user, std::string("/usr/local"), std::string("/usr")}) {
    if (root.empty() || std::ranges::find(roots, root) != roots.end()) continue;
    roots.push_back(root);
    for (const char* packages : {"/lib/python3*/site-packages", "/lib/python3*/dist-packages"}) {
      const std::vector<std::string> found = matches(root + packages + "/nvidia/*/lib");
      folders.insert(folders.end(), found.begin(), found.end());
    }
  }
  return folders;
}

}  // namespace cudacards
