#pragma once
// The commands, one file each. A command declares its options and leaves in `action` what to do; main() does it when
// the whole line has been understood.

#include <CLI/CLI.hpp>

#include <functional>

namespace cudacards::cli {

/// Returns the exit code. Throws Error.
using Action = std::function<int()>;

void add_train(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_find(CLI::App& app, Action& action);
void add_runs(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_summary(CLI::App& app, Action& action);
void add_profile(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_weights(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace cudacards::cli
