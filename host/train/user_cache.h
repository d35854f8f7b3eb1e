#pragma once
// Where a person's caches are. A cache never makes a command fail: what is wrong with it is noted and done without.

#include <string>

namespace cudacards {

/// $XDG_CACHE_HOME/cudacards or ~/.cache/cudacards; empty where neither is known.
std::string user_cache_folder();
/// Throws Error.
void make_cache_folder(const std::string& path);

}  // namespace cudacards
