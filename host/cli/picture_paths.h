#pragma once
// What `predict PATH...` means: files, folders, and standard input.

#include <string>
#include <vector>

namespace cudacards::cli {

struct PicturePath {
  std::string path;   // to open
  std::string shown;  // to print
  bool named = true;  // rather than met in a folder
};

/// A file stands for itself, a folder for all pictures below it (by name, sorted, hidden ones left out), "-" for
/// standard input: one picture, or a list of paths, a line each (or separated by NUL, as find -print0 writes).
std::vector<PicturePath> expand(const std::vector<std::string>& arguments);

}  // namespace cudacards::cli
