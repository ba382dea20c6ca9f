#include <charconv>
#include <sstream>

#include "node/runtimes/fake/fake_runtime.h"

namespace orchion::node::runtimes::fake {

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> commands_of(const std::string& script) {
  std::vector<std::string> commands;
  std::istringstream stream(script);
  for (std::string command; std::getline(stream, command, ';');) commands.push_back(command);
  return commands;
}

double to_number(const std::vector<std::string>& words, std::size_t index) {
  double value = 0;
  if (index < words.size()) std::from_chars(words[index].data(), words[index].data() + words[index].size(), value);
  return value;
}

base::Duration seconds(double count) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(count));
}

// One simple command, added to what came before it. False where the script doesn't get beyond it.
bool add_simple(const std::vector<std::string>& words, FakeCommand& command) {
  const auto so_far = command.runs_for.value_or(base::Duration::zero());
  const auto& name = words[0];
  if (name == "exit") {
    command.runs_for = so_far;
    command.exit_code = static_cast<int>(to_number(words, 1));
    return false;
  }
  if (name == "true" || name == "false") {
    command.runs_for = so_far;
    command.exit_code = name == "true" ? 0 : 1;
  } else if (name == "sleep") {
    command.runs_for = so_far + seconds(to_number(words, 1));
  } else if (name == "echo") {
    command.runs_for = so_far;
    for (std::size_t i = 1; i < words.size(); ++i) command.output += (i == 1 ? "" : " ") + words[i];
    command.output += "\n";
  } else if (name == "trap") {
    command.ignores_signals = true;
  } else {
    command.echoes_input = name == "cat";
    command.runs_for.reset();
    return false;
  }
  return true;
}

}  // namespace

FakeCommand parse_fake_command(const std::vector<std::string>& arguments) {
  FakeCommand command;
  if (arguments.empty()) return command;
  if (arguments[0].starts_with("/no/such") || arguments[0] == "nosuchprogram") {
    command.exists = false;
    return command;
  }
  const bool shell = arguments.size() >= 3 && arguments[1] == "-c";
  std::string script = shell ? arguments[2] : "";
  for (std::size_t i = 0; !shell && i < arguments.size(); ++i) script += (i == 0 ? "" : " ") + arguments[i];
  for (const auto& simple : commands_of(script)) {
    const auto words = words_of(simple);
    if (!words.empty() && !add_simple(words, command)) break;
  }
  return command;
}

}  // namespace orchion::node::runtimes::fake
