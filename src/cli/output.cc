#include "cli/output.h"

#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "spec/yaml_writer.h"

namespace orchion::cli {

namespace {

// Columns of a terminal that the text takes, counted in code points.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void write_yaml(const boost::json::value& value, spec::YamlWriter& yaml) {
  if (const auto* object = value.if_object()) {
    yaml.begin_map();
    for (const auto& [key, item] : *object) {
      yaml.key(std::string_view(key.data(), key.size()));
      write_yaml(item, yaml);
    }
    yaml.end_map();
  } else if (const auto* array = value.if_array()) {
    yaml.begin_list();
    for (const auto& item : *array) write_yaml(item, yaml);
    yaml.end_list();
  } else if (const auto* text = value.if_string()) {
    yaml.text(std::string_view(text->data(), text->size()));
  } else {
    yaml.plain(boost::json::serialize(value));
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
  spec::YamlWriter yaml;
  write_yaml(value, yaml);
  return yaml.take();
}

std::string age_of(const google::protobuf::Timestamp& time, base::WallTime now) {
  if (time.seconds() == 0) return "-";
  const auto seconds = std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() - time.seconds());
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

void print_rows(const Context& context, std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                const std::vector<Row>& rows) {
  const auto format = context.options().output;
  if (format == OutputFormat::kName) {
    for (const auto& row : rows) std::cout << row.name << "\n";
    return;
  }
  const bool wide = format == OutputFormat::kWide;
  if (wide) heading.insert(heading.end(), wide_heading.begin(), wide_heading.end());
  std::vector<std::vector<std::string>> table{std::move(heading)};
  for (const auto& row : rows) {
    table.push_back(row.cells);
    if (wide) table.back().insert(table.back().end(), row.wide.begin(), row.wide.end());
  }
  std::cout << format_table(table);
}

}  // namespace orchion::cli
