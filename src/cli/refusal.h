#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace orchion::cli {

// One sentence about the first of the arguments that nobody took, with the name that was probably meant: an option or
// a command that doesn't exist, or a word too many. `root` has parsed; empty where all arguments were taken.
std::string refusal_of(const CLI::App& root);

// One sentence about any other mistake: what is missing, or what a value should be.
std::string refusal_of(const CLI::App& root, const CLI::ParseError& error);

// The command that was parsed, as far as its name was understood, and how it is called: "orchion node".
struct ParsedCommand {
  const CLI::App* app;
  std::string path;
};
ParsedCommand parsed_command(const CLI::App& root);

}  // namespace orchion::cli
