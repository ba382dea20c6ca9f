#include "cli/output.h"

#include <algorithm>
#include <iostream>
#include <sstream>

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "spec/yaml_writer.h"

namespace orchion::cli {

namespace {

// Of text that goes into a table's line.
constexpr std::size_t kCellWidthMax = 100;

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

base::Result<boost::json::value> parse(const std::string& json) {
  boost::system::error_code error;
  auto value = boost::json::parse(json, error);
  if (error) return base::fail(base::Code::kInternal, "the server's answer is not JSON");
  return value;
}

std::string text_at(const boost::json::value& item, const char* pointer) {
  boost::system::error_code error;
  const auto* found = item.find_pointer(pointer, error);
  if (found == nullptr) return "";
  return found->is_string() ? std::string(found->as_string()) : boost::json::serialize(*found);
}

// What commands take as its name: "shop", "shop/web" or, of a task, "shop/web.2".
std::string address_of(const boost::json::value& item) {
  const auto stack = text_at(item, "/meta/stack");
  const auto slot = text_at(item, "/spec/slot");
  const auto name = slot.empty() ? text_at(item, "/meta/name") : text_at(item, "/spec/service") + "." + slot;
  return stack.empty() ? name : stack + "/" + name;
}

std::string template_text(const ItemTemplate& line, const boost::json::value& item) {
  if (!line.empty()) return line.render(item) + "\n";
  return fmt::format("{}\n", fmt::join(field_paths(item), "\n"));
}

std::string text_of(std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                    const std::vector<Row>& rows, bool wide) {
  if (wide) heading.insert(heading.end(), wide_heading.begin(), wide_heading.end());
  std::vector<std::vector<std::string>> table{std::move(heading)};
  for (const auto& row : rows) {
    table.push_back(row.cells);
    if (wide) table.back().insert(table.back().end(), row.wide.begin(), row.wide.end());
  }
  return format_table(table);
}

base::Result<std::string> object_text(const Output& output, const std::string& json) {
  if (output.format == OutputFormat::kJson) return json + "\n";
  if (output.format == OutputFormat::kName || output.format == OutputFormat::kTemplate) {
    ASSIGN_OR_RETURN(const auto value, parse(json));
    return output.format == OutputFormat::kName ? address_of(value) + "\n" : template_text(output.line, value);
  }
  return yaml_of(json);
}

}  // namespace

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

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
  ASSIGN_OR_RETURN(const auto value, parse(json));
  spec::YamlWriter yaml;
  write_yaml(value, yaml);
  return yaml.take();
}

std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) line += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? ' ' : c;
  while (!line.empty() && line.back() == ' ') line.pop_back();
  if (line.size() <= kCellWidthMax) return line;
  std::size_t end = kCellWidthMax;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end) + "…";
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

bool wants_object(const Context& context) {
  const auto format = context.options().output.format;
  return format == OutputFormat::kJson || format == OutputFormat::kYaml || format == OutputFormat::kTemplate;
}

int print_object(Context& context, const std::string& json) {
  auto text = object_text(context.options().output, json);
  if (!text) return context.fail(text.error());
  std::cout << *text;
  return kExitOk;
}

base::Result<bool> print_items(const Context& context, const std::string& json, const std::string& key) {
  ASSIGN_OR_RETURN(const auto value, parse(json));
  const auto& line = context.options().output.line;
  const auto* list = value.is_object() ? value.as_object().if_contains(key) : nullptr;
  if (list == nullptr || !list->is_array()) return true;
  for (const auto& item : list->as_array()) {
    std::cout << template_text(line, item);
    if (line.empty()) return false;
  }
  return true;
}

int print_list(Context& context, const std::string& json, const std::string& key) {
  if (context.options().output.format != OutputFormat::kTemplate) return print_object(context, json);
  const auto printed = print_items(context, json, key);
  return printed ? int{kExitOk} : context.fail(printed.error());
}

base::Result<> print_streamed(const Context& context, const std::string& json) {
  ASSIGN_OR_RETURN(const auto text, object_text(context.options().output, json));
  if (context.options().output.format == OutputFormat::kYaml) std::cout << "---\n";
  std::cout << text << std::flush;
  return {};
}

std::string json_of(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  return json;
}

std::vector<std::string> table_lines(std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                                     const std::vector<Row>& rows, bool wide) {
  std::istringstream text(text_of(std::move(heading), wide_heading, rows, wide));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

void print_rows(const Context& context, std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                const std::vector<Row>& rows) {
  const auto format = context.options().output.format;
  if (format == OutputFormat::kName) {
    for (const auto& row : rows) std::cout << row.name << "\n";
    return;
  }
  std::cout << text_of(std::move(heading), wide_heading, rows, format == OutputFormat::kWide);
}

}  // namespace orchion::cli
