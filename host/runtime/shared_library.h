#pragma once
// A shared library that is looked for when it is needed and never linked, so that the program starts without it.

#include <memory>
#include <string>
#include <vector>

namespace cudacards {

class SharedLibrary {
 public:
  SharedLibrary() = default;  // nothing is loaded
  /// The first of `names` ("libcudnn.so.9") that loads: from the folders `before`, where the loader looks, the folders
  /// `after`. Without one: nothing is loaded, and missing() says why.
  static SharedLibrary open(const std::vector<std::string>& names, const std::vector<std::string>& before = {},
                            const std::vector<std::string>& after = {});

  bool is_loaded() const { return handle_ != nullptr; }
  /// "libcudnn.so.9 not found", or what the loader says of a library that is there and doesn't load.
  const std::string& missing() const { return missing_; }
  /// Where the loader found it; empty where nothing is loaded.
  std::string path() const;
  /// Null where it has no such symbol.
  void* symbol(const char* name) const;

  /// Fills a function pointer; false where the library lacks it.
  template <class Function>
  bool load(Function& function, const char* name) const {
    function = reinterpret_cast<Function>(symbol(name));
    return function != nullptr;
  }

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  std::unique_ptr<void, Close> handle_;
  std::string missing_;
};

}  // namespace cudacards
