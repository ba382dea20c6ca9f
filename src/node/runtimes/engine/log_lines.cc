#include "node/runtimes/engine/log_lines.h"

#include <boost/json.hpp>

#include "core/timestamp.h"

namespace orchion::node::runtimes::engine {

namespace {

namespace json = boost::json;

std::optional<LogEntry> make_entry(std::string_view time, std::string_view stream) {
  const auto when = core::parse_timestamp(time);
  if (!when || (stream != "stdout" && stream != "stderr")) return std::nullopt;
  return LogEntry{*when, stream == "stderr" ? logs::OutputStream::kError : logs::OutputStream::kOut, {}};
}

std::optional<LogEntry> parse_json_line(std::string_view line) {
  boost::system::error_code failed;
  const auto value = json::parse({line.data(), line.size()}, failed);
  if (failed || !value.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto* found = value.get_object().if_contains(name);
    return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
  };
  auto entry = make_entry(text("time"), text("stream"));
  if (entry) entry->text = text("log");
  return entry;
}

std::optional<LogEntry> parse_plain_line(std::string_view line) {
  const auto take_word = [&] {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
  };
  const auto time = take_word();
  const auto stream = take_word();
  const auto kind = take_word();
  auto entry = make_entry(time, stream);
  if (!entry || (kind != "F" && kind != "P")) return std::nullopt;
  entry->text = line;
  if (kind == "F") entry->text += '\n';
  return entry;
}

}  // namespace

std::optional<LogEntry> parse_log_line(node::engine::Dialect dialect, std::string_view line) {
  return dialect == node::engine::Dialect::kPodman ? parse_plain_line(line) : parse_json_line(line);
}

}  // namespace orchion::node::runtimes::engine
