#include "cli/refusal.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/suggestion.h"

namespace orchion::cli {

namespace {

std::vector<std::string> option_names(const CLI::App* command) {
  std::vector<std::string> names;
  for (; command != nullptr; command = command->get_parent())
    for (const auto* option : command->get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& group) {
  std::vector<std::string> names;
  for (const auto* command : group.get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); }))
    names.push_back(command->get_name());
  return names;
}

// CLI11 begins its messages with the option's name: "--timeout: …" or "--wait excludes --detach".
std::string option_of(const std::string& message) {
  return message.substr(0, message.find_first_of(": "));
}

std::string after(const std::string& message, const std::string& part) {
  const auto at = message.find(part);
  return at == std::string::npos ? message : message.substr(at + part.size());
}

}  // namespace

ParsedCommand parsed_command(const CLI::App& root) {
  ParsedCommand parsed{&root, root.get_name()};
  while (!parsed.app->get_subcommands().empty()) {
    parsed.app = parsed.app->get_subcommands().front();
    parsed.path += " " + parsed.app->get_name();
  }
  return parsed;
}

std::string refusal_of(const CLI::App& root) {
  const auto [command, path] = parsed_command(root);
  const auto words = root.remaining(true);
  const auto is_option = [](const std::string& word) {
    return word.starts_with('-') && word.size() > 1 && word != "--";
  };
  if (const auto found = std::ranges::find_if(words, is_option); found != words.end()) {
    const auto name = found->substr(0, found->find('='));
    return fmt::format("`{}` has no option `{}`{}", path, name,
                       suggestion(name, option_names(command), fmt::format(": `{} --help` lists them", path)));
  }
  const auto word = std::ranges::find_if(words, [](const std::string& text) { return text != "--"; });
  if (word == words.end()) return "";
  const auto help = fmt::format(": `{} --help`", path);
  if (command->get_require_subcommand_min() == 0)
    return fmt::format("`{}` can do nothing with `{}`{} says what it takes", path, *word, help);
  return fmt::format("there is no `{} {}`{}", path, *word,
                     suggestion(*word, command_names(*command), help + " lists the commands"));
}

std::string refusal_of(const CLI::App& root, const CLI::ParseError& error) {
  const auto path = parsed_command(root).path;
  const auto help = fmt::format(": see `{} --help`", path);
  const std::string message = error.what();
  const auto kind = error.get_name();
  const auto option = option_of(message);
  if (kind == "RequiredError") return fmt::format("`{}` needs {}{}", path, option, help);
  if (kind == "ExcludesError")
    return fmt::format("{} and {} exclude each other: leave one out", option, after(message, " excludes "));
  if (kind == "ValidationError") return message;
  if (message.ends_with(" missing")) return fmt::format("{} needs a value{}", option, help);
  if (message.find(": At Most ") != std::string::npos) return fmt::format("{} was given twice: leave one out", option);
  if (kind == "ConversionError" || kind == "ArgumentMismatch") {
    const auto flag = option_of(after(message, "Could not convert: "));
    return fmt::format("{} can do nothing with its value{}", flag, help);
  }
  return message + help;
}

}  // namespace orchion::cli
