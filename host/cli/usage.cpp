#include "host/cli/usage.h"

#include <fmt/format.h>

#include <sstream>
#include <vector>

#include "host/runtime/did_you_mean.h"

namespace cudacards::cli {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kIndent = 28;  // where descriptions start

/// `text` broken at spaces; lines after the first start at `indent`, which is also where the first is taken to start.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result;
  std::size_t column = indent;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column > indent && column + 1 + word.size() > kColumns) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

std::string entry(const std::string& name, const std::string& description) {
  std::string line = "  " + name;
  if (line.size() + 2 > kIndent) {
    line += "\n" + std::string(kIndent, ' ');
  } else {
    line.resize(kIndent, ' ');
  }
  return line + wrapped(description, kIndent) + "\n";
}

std::string default_text(const CLI::Option& option) {
  if (option.get_required()) return " (required)";
  if (!option.get_default_str().empty()) return fmt::format(" (default: {})", option.get_default_str());
  const bool is_flag = option.get_items_expected_max() == 0;
  return is_flag ? " (default: off)" : "";
}

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string name = option->get_name(is_positional, !is_positional);
    if (is_positional) return entry(name, option->get_description() + default_text(*option));
    const bool has_value = option->get_items_expected_max() > 0;
    if (has_value) name += " " + option->get_type_name();
    const bool is_help = option->check_name("--help") || option->check_name("--version");
    return entry(name, option->get_description() + (is_help ? "" : default_text(*option)));
  }

  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_name(), command->get_description());
  }

  std::string make_description(const CLI::App* app) const override { return wrapped(app->get_description(), 0) + "\n"; }

  std::string make_footer(const CLI::App* app) const override {
    const std::string footer = app->get_footer();
    return footer.empty() ? "" : "\n" + wrapped(footer, 0) + "\n";
  }
};

const CLI::App& deepest(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return *command;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = deepest(app);
  const std::string help = fmt::format("see {} --help", full_name(command));
  const std::vector<std::string> unknown = app.remaining(true);
  if (!unknown.empty()) {
    const std::string& word = unknown.front();
    if (word.starts_with("-")) {
      const std::string name = word.substr(0, word.find('='));
      return fmt::format("{} has no option {}{}; {}", full_name(command), name,
                         did_you_mean(name, option_names(command)), help);
    }
    const std::vector<std::string> commands = command_names(command);
    if (!commands.empty())
      return fmt::format("there is no command \"{}\"{}; {}", word, did_you_mean(word, commands), help);
    return fmt::format("{} takes no argument \"{}\"; {}", full_name(command), word, help);
  }
  if (!command_names(command).empty()) return fmt::format("a command is missing; {}", help);
  std::string reason = error.what();
  for (char& c : reason) {
    if (c == '\n') c = ' ';
  }
  return fmt::format("{}; {}", reason, help);
}

}  // namespace cudacards::cli
