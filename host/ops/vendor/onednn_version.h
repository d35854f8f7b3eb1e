#pragma once
// Which oneDNN this is, for `cudacards doctor`.

#include <string>

namespace cudacards {

std::string onednn_version();          // "2.6.3"
std::string onednn_instruction_set();  // the widest that it uses on this processor, "AVX-512 with VNNI"

}  // namespace cudacards
