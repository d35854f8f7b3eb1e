#pragma once
// The commands below `cudacards data`, one file each.

#include "host/cli/commands.h"

namespace cudacards::cli {

struct DataFolder {
  std::string root;
  int threads = 0;
};

/// DIR and --threads.
void add_folder(CLI::App& command, DataFolder& folder);

void add_data_audit(CLI::App& data, Action& action);
void add_data_duplicates(CLI::App& data, Action& action);
void add_data_show(CLI::App& data, Action& action);
void add_data_stats(CLI::App& data, Action& action);

}  // namespace cudacards::cli
