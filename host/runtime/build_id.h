#pragma once
// Which build of the program this is: what was measured of another one's kernels says nothing about these.

#include <string>

namespace cudacards {

/// The linker's build id of the program's file in hexadecimal, a digest of all that was linked; "unknown" where the
/// linker wrote none.
const std::string& build_id();

}  // namespace cudacards
