#pragma once
// Replacing a file so that a crash at any moment leaves either the old one or the new one, whole.

#include <cstddef>
#include <span>
#include <string>

#include "weights/file_calls.h"

namespace cudacards {

/// Writes the parts, one after the other, as the file `path`: to "<path>.tmp-<pid>-<n>", flushed to the disk and
/// compared with what was to be written, then renamed to `path`, then the folder is flushed. On failure the temporary
/// is removed, the old file stays as it was, and an Error says what failed and what to do. The one exception is named
/// by its message: when only the last flush, that of the folder, fails, the new file is already in place and whole.
/// A device or a pipe is refused: the renaming would put a plain file in its place.
///
/// Temporaries that a killed process left behind for this `path` are removed first. A living writer holds a lock
/// (flock) on its own, so neither a reused process id nor a writer in another container can be mistaken for a dead one.
void write_file_atomically(const std::string& path, std::span<const std::span<const std::byte>> parts,
                           const FileCalls& calls = system_file_calls());

}  // namespace cudacards
