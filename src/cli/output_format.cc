#include "cli/output_format.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/suggestion.h"

namespace orchion::cli {

namespace {

const std::vector<std::pair<std::string, OutputFormat>>& formats() {
  static const std::vector<std::pair<std::string, OutputFormat>> all = {{"table", OutputFormat::kTable},
                                                                        {"wide", OutputFormat::kWide},
                                                                        {"json", OutputFormat::kJson},
                                                                        {"yaml", OutputFormat::kYaml},
                                                                        {"name", OutputFormat::kName}};
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

base::Result<OutputFormat> parse_output_format(const std::string& text) {
  const auto& all = formats();
  const auto found = std::ranges::find(all, text, &std::pair<std::string, OutputFormat>::first);
  if (found != all.end()) return found->second;
  const auto choice = fmt::format(": choose one of {}", fmt::join(names(), ", "));
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("there is no output format `{}`{}", text, suggestion(text, names(), choice)));
}

}  // namespace orchion::cli
