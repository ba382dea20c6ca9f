#include "cli/man_pages.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "base/file.h"

namespace orchion::cli {

namespace {

// Text as it is: roff takes a backslash for an escape, a plain hyphen for a dash that may break, and a line that begins
// with a dot or an apostrophe for a command.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool at_start = out.empty() || out.back() == '\n';
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '`') {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  return out;
}

std::string joined_name(const CLI::App* command, char between) {
  const auto* parent = command->get_parent();
  return parent == nullptr ? command->get_name() : joined_name(parent, between) + between + command->get_name();
}

std::vector<const CLI::App*> commands_of(const CLI::App& group) {
  return group.get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); });
}

std::string value_text(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  auto text = " " + option.get_type_name();
  if (!option.get_default_str().empty()) text += " (" + option.get_default_str() + ")";
  return roff(text);
}

std::string option_names(const CLI::Option& option) {
  std::string out;
  for (const auto& name : option.get_snames())
    out += fmt::format("{}\\fB{}\\fR", out.empty() ? "" : ", ", roff("-" + name));
  for (const auto& name : option.get_lnames())
    out += fmt::format("{}\\fB{}\\fR", out.empty() ? "" : ", ", roff("--" + name));
  return out.empty() ? "\\fI" + roff(option.get_name(true)) + "\\fR" : out;
}

std::string synopsis(const CLI::App& command) {
  std::string out = fmt::format(".SH SYNOPSIS\n\\fB{}\\fR [\\fIOPTIONS\\fR]", roff(joined_name(&command, ' ')));
  for (const auto* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const auto word =
        "\\fI" + roff(option->get_name(true)) + "\\fR" + (option->get_items_expected_max() > 1 ? "..." : "");
    out += option->get_required() ? " " + word : " [" + word + "]";
  }
  if (command.get_require_subcommand_min() > 0) out += " \\fICOMMAND\\fR";
  return out + "\n";
}

std::string options_text(const CLI::App& command) {
  std::string out;
  for (const auto* option : command.get_options())
    out += fmt::format(".TP\n{}{}\n{}\n", option_names(*option), value_text(*option), roff(option->get_description()));
  return out.empty() ? "" : ".SH OPTIONS\n" + out;
}

std::string examples_text(const CLI::App& command) {
  constexpr std::string_view kHeading = "\nExamples:\n";
  const auto& footer = command.get_footer();
  if (!footer.starts_with(kHeading)) return "";
  return fmt::format(".SH EXAMPLES\n.nf\n{}.fi\n", roff(footer.substr(kHeading.size())));
}

std::string commands_text(const CLI::App& command) {
  std::string out;
  for (const auto* each : commands_of(command))
    out += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n", roff(joined_name(each, '-')), roff(each->get_description()));
  return out.empty() ? "" : ".SH COMMANDS\n" + out;
}

std::string page(const CLI::App& command, const std::string& version) {
  const auto name = joined_name(&command, '-');
  std::string title = name;
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string out = fmt::format(".TH \"{}\" 1 \"\" \"orchion {}\" \"orchion\"\n", roff(title), roff(version));
  out += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(command.get_description()));
  out += synopsis(command) + examples_text(command) + options_text(command) + commands_text(command);
  if (command.get_parent() == nullptr) return out;
  return out + fmt::format(".SH SEE ALSO\n\\fB{}\\fR(1)\n", roff(joined_name(command.get_parent(), '-')));
}

void add_pages(const CLI::App& command, const std::string& version, std::map<std::string, std::string>& pages) {
  pages[joined_name(&command, '-') + ".1"] = page(command, version);
  for (const auto* each : commands_of(command)) add_pages(*each, version, pages);
}

}  // namespace

std::map<std::string, std::string> man_pages(const CLI::App& root, const std::string& version) {
  std::map<std::string, std::string> pages;
  add_pages(root, version, pages);
  return pages;
}

int run_man(const Context& context, const CLI::App& root, const std::string& version, const std::string& folder) {
  const auto pages = man_pages(root, version);
  if (folder.empty()) {
    std::cout << pages.at(root.get_name() + ".1");
    return kExitOk;
  }
  if (auto made = base::make_folders(folder, 0755); !made) return context.fail(made.error());
  for (const auto& [name, text] : pages) {
    auto written = base::write_file(std::filesystem::path(folder) / name, text, 0644);
    if (!written) return context.fail(written.error());
  }
  context.say(fmt::format("{} pages are in {}", pages.size(), folder));
  return kExitOk;
}

}  // namespace orchion::cli
