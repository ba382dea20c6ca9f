#include "cli/output.h"

#include <algorithm>
#include <iostream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/core.h>

namespace orchion::cli {

namespace {

// Columns of a terminal that the text takes, counted in code points.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Objects and arrays that hold something go to lines of their own; everything else is JSON, which YAML includes.
bool is_block(const boost::json::value& value) {
  return (value.is_object() && !value.as_object().empty()) || (value.is_array() && !value.as_array().empty());
}

void write_yaml(const boost::json::value& value, int depth, bool first_inline, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  bool first = first_inline;
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      if (!first) out += indent;
      first = false;
      out += std::string(key) + ":";
      if (is_block(item)) {
        out += "\n";
        write_yaml(item, depth + 1, false, out);
      } else {
        out += " " + boost::json::serialize(item) + "\n";
      }
    }
    return;
  }
  for (const auto& item : value.as_array()) {
    if (!first) out += indent;
    first = false;
    out += "- ";
    if (is_block(item)) {
      write_yaml(item, depth + 1, true, out);
    } else {
      out += boost::json::serialize(item) + "\n";
    }
  }
}

}  // namespace

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

base::Result<std::string> yaml_of(const std::string& json) {
  boost::system::error_code error;
  const auto value = boost::json::parse(json, error);
  if (error) return base::fail(base::Code::kInternal, "the server's answer is not JSON");
  if (!is_block(value)) return boost::json::serialize(value) + "\n";
  std::string out;
  write_yaml(value, 0, false, out);
  return out;
}

std::string age_of(const google::protobuf::Timestamp& time, base::WallTime now) {
  if (time.seconds() == 0) return "-";
  const auto seconds =
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() -
                                    time.seconds());
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 7200) return fmt::format("{}m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

int print_object(Context& context, const std::string& json) {
  if (context.options().output == OutputFormat::kJson) {
    std::cout << json << "\n";
    return kExitOk;
  }
  auto yaml = yaml_of(json);
  if (!yaml) return context.fail(yaml.error());
  std::cout << *yaml;
  return kExitOk;
}

int print_list(Context& context, const std::string& json, std::vector<std::string> heading,
               const std::vector<std::string>& wide_heading, const std::vector<Row>& rows) {
  const auto format = context.options().output;
  if (format == OutputFormat::kJson || format == OutputFormat::kYaml) return print_object(context, json);
  if (format == OutputFormat::kName) {
    for (const auto& row : rows) std::cout << row.name << "\n";
    return kExitOk;
  }
  const bool wide = format == OutputFormat::kWide;
  if (wide) heading.insert(heading.end(), wide_heading.begin(), wide_heading.end());
  std::vector<std::vector<std::string>> table{std::move(heading)};
  for (const auto& row : rows) {
    table.push_back(row.cells);
    if (wide) table.back().insert(table.back().end(), row.wide.begin(), row.wide.end());
  }
  std::cout << format_table(table);
  return kExitOk;
}

}  // namespace orchion::cli
