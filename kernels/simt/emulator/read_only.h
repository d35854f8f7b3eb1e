#pragma once
// Which addresses of this process are constants that a kernel may read (CUDA's __constant__ and literals).

#include <cstddef>
#include <cstdint>

namespace cudacards::emulator {

bool is_read_only(std::uintptr_t address, std::size_t bytes);
/// Part of the program or of a library: a variable or code of the host.
bool is_loaded(std::uintptr_t address);

}  // namespace cudacards::emulator
