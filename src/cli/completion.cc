#include "cli/completion.h"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace orchion::cli {

namespace {

const CLI::Option* find_option(const CLI::App* command, const std::string& name) {
  for (; command != nullptr; command = command->get_parent())
    for (const auto* option : command->get_options())
      if (!option->get_positional() && option->check_name(name)) return option;
  return nullptr;
}

const CLI::App* find_command(const CLI::App* group, const std::string& name) {
  const auto found =
      group->get_subcommands([&](const CLI::App* app) { return app->get_name() == name && !app->get_group().empty(); });
  return found.empty() ? nullptr : found.front();
}

bool takes_value(const CLI::Option* option) {
  return option->get_items_expected_max() > 0;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// Where the cursor stands.
struct Place {
  const CLI::App* command;
  const CLI::Option* valued = nullptr;  // the option whose value is typed
  std::size_t positionals = 0;          // words that stand before it
  bool only_words = false;              // after --
};

class Walk {
 public:
  Walk(const CLI::App& root, const std::vector<std::string>& words) : place_{&root} {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) step(words[i]);
    out_.typed = words.empty() ? "" : words.back();
  }

  Completion finish() {
    if (place_.valued != nullptr) {
      add_values(place_.valued, "");
    } else if (!place_.only_words && out_.typed.starts_with('-')) {
      add_options();
    } else {
      add_words();
    }
    return std::move(out_);
  }

 private:
  void step(const std::string& word) {
    if (place_.valued != nullptr) {
      remember(place_.valued, word);
      place_.valued = nullptr;
    } else if (word == "--") {
      place_.only_words = true;
    } else if (!place_.only_words && word.starts_with('-')) {
      const auto equals = word.find('=');
      const auto* option = find_option(place_.command, word.substr(0, equals));
      if (option == nullptr || !takes_value(option)) return;
      if (equals == std::string::npos) {
        place_.valued = option;
      } else {
        remember(option, word.substr(equals + 1));
      }
    } else if (const auto* command = find_command(place_.command, word); command != nullptr) {
      place_.command = command;
    } else {
      ++place_.positionals;
    }
  }

  void remember(const CLI::Option* option, const std::string& value) {
    if (!option->get_lnames().empty()) out_.options[option->get_lnames().front()] = value;
  }

  void add(const std::string& word, const std::string& help) {
    if (word.starts_with(out_.typed)) out_.candidates.push_back({word, first_line(help)});
  }

  void add_options() {
    const auto equals = out_.typed.find('=');
    if (equals != std::string::npos) {
      const auto* option = find_option(place_.command, out_.typed.substr(0, equals));
      if (option != nullptr) add_values(option, out_.typed.substr(0, equals + 1));
      return;
    }
    for (const auto* command = place_.command; command != nullptr; command = command->get_parent())
      for (const auto* option : command->get_options())
        for (const auto& name : option->get_lnames())
          if (command->get_parent() == nullptr || name != "help") add_once("--" + name, option->get_description());
  }

  void add_once(const std::string& word, const std::string& help) {
    if (std::ranges::find(out_.candidates, word, &Candidate::word) == out_.candidates.end()) add(word, help);
  }

  // The choices stand in the name of the option's type: "TEXT:{debug,info}".
  void add_values(const CLI::Option* option, const std::string& prefix) {
    const auto type = option->get_type_name();
    const auto open = type.find('{');
    const auto close = type.find('}');
    if (open != std::string::npos && close != std::string::npos) {
      for (const auto& value : CLI::detail::split(type.substr(open + 1, close - open - 1), ','))
        add(prefix + value, "");
    } else if (option->check_lname("stack")) {
      out_.live = LiveNames::kStacks;
    }
  }

  void add_words() {
    for (const auto* command :
         place_.command->get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); }))
      if (!place_.only_words) add(command->get_name(), command->get_description());
    std::vector<const CLI::Option*> positionals;
    for (const auto* option : place_.command->get_options())
      if (option->get_positional()) positionals.push_back(option);
    if (positionals.empty()) return;
    // The last one may take several words.
    const auto at = std::min(place_.positionals, positionals.size() - 1);
    const auto* option = positionals[at];
    const int most = option->get_items_expected_max();
    if (place_.positionals < positionals.size() || most > 1) {
      add_values(option, "");
      if (out_.candidates.empty()) out_.live = live_names(option->get_name(true));
    }
  }

  static LiveNames live_names(const std::string& positional) {
    static const std::map<std::string, LiveNames> all = {
        {"STACK", LiveNames::kStacks},      {"SERVICE", LiveNames::kServices}, {"TARGET", LiveNames::kServices},
        {"WHAT", LiveNames::kAddresses},    {"TASK", LiveNames::kAddresses},   {"TASKS", LiveNames::kAddresses},
        {"SERVICES", LiveNames::kServices}, {"NODE", LiveNames::kNodes},       {"CONTEXT", LiveNames::kContexts},
        {"IMAGE", LiveNames::kImages},      {"JOB", LiveNames::kJobs},         {"RUN", LiveNames::kRuns},
        {"NETWORK", LiveNames::kNetworks}};
    const auto found = all.find(positional);
    return found == all.end() ? LiveNames::kNone : found->second;
  }

  Place place_;
  Completion out_;
};

}  // namespace

Completion complete(const CLI::App& root, const std::vector<std::string>& words) {
  return Walk(root, words).finish();
}

}  // namespace orchion::cli
