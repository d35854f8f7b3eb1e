#pragma once
// A folder that pictures are written into, beside what is there already: no file is ever overwritten.

#include <string>

#include "host/data/image.h"

namespace cudacards {

class PictureFolder {
 public:
  /// Makes the folder where it is missing. Throws Error where that fails or the folder cannot be written to.
  explicit PictureFolder(const std::string& folder);

  /// Writes <folder>/<stem of name>.jpg, or <stem>-2.jpg and so on where there is one already, and returns its path.
  /// `name` is the path that the picture came from, or any words; "-" becomes "picture". Throws Error.
  std::string add(const std::string& name, const Image& image) const;

 private:
  std::string folder_;
};

}  // namespace cudacards
