#include "cli/output_format.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/suggestion.h"

namespace orchion::cli {

namespace {

constexpr std::string_view kTemplate = "template=";

const std::vector<std::pair<std::string, OutputFormat>>& formats() {
  static const std::vector<std::pair<std::string, OutputFormat>> all = {
      {"table", OutputFormat::kTable}, {"wide", OutputFormat::kWide},
      {"json", OutputFormat::kJson},   {"yaml", OutputFormat::kYaml},
      {"name", OutputFormat::kName},   {std::string(kTemplate), OutputFormat::kTemplate}};
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& [name, format] : formats()) out.push_back(name);
  return out;
}

}  // namespace

std::string output_formats_text() {
  return fmt::format("{{{}}}", fmt::join(names(), ","));
}

base::Result<Output> parse_output(const std::string& text) {
  if (text.starts_with(kTemplate)) {
    ASSIGN_OR_RETURN(auto line, ItemTemplate::parse(std::string_view(text).substr(kTemplate.size())));
    return Output{OutputFormat::kTemplate, std::move(line)};
  }
  const auto& all = formats();
  const auto found = std::ranges::find(all, text, &std::pair<std::string, OutputFormat>::first);
  if (found != all.end()) return Output{found->second, {}};
  const auto choice = fmt::format(": choose one of {}", fmt::join(names(), ", "));
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("there is no output format `{}`{}", text, suggestion(text, names(), choice)));
}

}  // namespace orchion::cli
