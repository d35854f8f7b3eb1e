#pragma once
// Where a run's files are: run.toml, metrics.jsonl, results.csv, best.safetensors, last.safetensors.

#include <string>

namespace cudacards {

/// Makes the folder of a new run: `wanted`, or runs/<arch>-<n> with the first free n. Throws Error when `wanted` is there and not empty,
/// or when nothing can be written in it.
std::string make_run_folder(const std::string& wanted, const std::string& arch);

/// Replaces a small text file crash-safely.
void write_text_file(const std::string& path, const std::string& text);

}  // namespace cudacards
