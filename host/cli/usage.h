#pragma once
// How the command line explains itself: --help in 80 columns with every default, and guesses for what it doesn't know.

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace cudacards::cli {

std::shared_ptr<CLI::FormatterBase> help_formatter();

/// One line for a command line that could not be understood.
std::string explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace cudacards::cli
