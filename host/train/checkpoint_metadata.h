#pragma once
// A Checkpoint as the metadata of its file, and back.

#include <map>
#include <string>

#include "host/train/checkpoint.h"

namespace cudacards {

/// What a file is for. A resume needs the optimizer's state, inference only the weights.
enum class CheckpointKind : std::uint8_t { kResume, kInference };

std::map<std::string, std::string> to_metadata(const Checkpoint& checkpoint, CheckpointKind kind);

/// `where` is the file's name for errors.
Checkpoint checkpoint_from_metadata(const std::map<std::string, std::string>& metadata, const std::string& where);
CheckpointKind kind_from_metadata(const std::map<std::string, std::string>& metadata, const std::string& where);

}  // namespace cudacards
