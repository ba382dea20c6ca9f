#include "core/log_line.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace orchion::core {

namespace json = boost::json;

namespace {

constexpr std::size_t kWordWithin = 64;  // bytes of a line in which its level stands, where it has one
constexpr std::size_t kDepthMax = 16;

struct LevelWord {
  std::string_view word;
  v1::LogLevel level;
};

constexpr std::array<LevelWord, 19> kWords = {{
    {"trace", v1::LOG_LEVEL_TRACE},      {"debug", v1::LOG_LEVEL_DEBUG},     {"info", v1::LOG_LEVEL_INFO},
    {"information", v1::LOG_LEVEL_INFO}, {"notice", v1::LOG_LEVEL_INFO},     {"log", v1::LOG_LEVEL_INFO},
    {"warn", v1::LOG_LEVEL_WARNING},     {"warning", v1::LOG_LEVEL_WARNING}, {"error", v1::LOG_LEVEL_ERROR},
    {"err", v1::LOG_LEVEL_ERROR},        {"fatal", v1::LOG_LEVEL_FATAL},     {"critical", v1::LOG_LEVEL_FATAL},
    {"crit", v1::LOG_LEVEL_FATAL},       {"panic", v1::LOG_LEVEL_FATAL},     {"emerg", v1::LOG_LEVEL_FATAL},
    {"emergency", v1::LOG_LEVEL_FATAL},  {"alert", v1::LOG_LEVEL_FATAL},     {"severe", v1::LOG_LEVEL_ERROR},
    {"verbose", v1::LOG_LEVEL_DEBUG},
}};

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return is_upper(c) || is_lower(c);
}

// As bunyan and pino number them, in tens.
v1::LogLevel level_of_number(int number) {
  if (number < 10 || number > 60) return v1::LOG_LEVEL_UNKNOWN;
  return static_cast<v1::LogLevel>(number / 10);
}

// syslog(3): 0 emergency … 3 error, 4 warning, 5 notice, 6 info, 7 debug; the facility is above. Source: RFC
// 5424, 6.2.1
v1::LogLevel level_of_priority(int priority) {
  switch (priority % 8) {
    case 0:
    case 1:
    case 2: return v1::LOG_LEVEL_FATAL;
    case 3: return v1::LOG_LEVEL_ERROR;
    case 4: return v1::LOG_LEVEL_WARNING;
    case 7: return v1::LOG_LEVEL_DEBUG;
    default: return v1::LOG_LEVEL_INFO;
  }
}

// What stands after a key of JSON or logfmt, its colon or equals sign passed: `"warn"`, `warn`, `40`.
v1::LogLevel level_of_value(std::string_view rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '"')) rest.remove_prefix(1);
  int number = 0;
  if (const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number); parsed.ec == std::errc())
    return level_of_number(number);
  std::size_t length = 0;
  while (length < rest.size() && is_letter(rest[length])) ++length;
  return level_of_word(rest.substr(0, length)).value_or(v1::LOG_LEVEL_UNKNOWN);
}

v1::LogLevel level_of_json(std::string_view line) {
  for (const std::string_view key : {"\"level\"", "\"severity\"", "\"lvl\"", "\"log.level\"", "\"loglevel\""}) {
    const auto found = line.find(key);
    if (found == std::string_view::npos) continue;
    auto rest = line.substr(found + key.size());
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.starts_with(':')) return level_of_value(rest.substr(1));
  }
  return v1::LOG_LEVEL_UNKNOWN;
}

// Of a word that stands alone: all in capitals, or in brackets, or before a colon ("error: no such file"), whatever
// the case.
v1::LogLevel level_of_token(std::string_view head, std::size_t begin, std::size_t end) {
  const auto word = head.substr(begin, end - begin);
  if (word.size() < 3 || word.size() > 11) return v1::LOG_LEVEL_UNKNOWN;
  const bool capitals = std::ranges::all_of(word, is_upper);
  const char before = begin > 0 ? head[begin - 1] : ' ';
  const char after = end < head.size() ? head[end] : ' ';
  const bool bracketed = (before == '[' && after == ']') || (before == '<' && after == '>');
  const bool leads = after == ':' && (begin == 0 || before == ' ');
  if (!capitals && !bracketed && !leads) return v1::LOG_LEVEL_UNKNOWN;
  return level_of_word(word).value_or(v1::LOG_LEVEL_UNKNOWN);
}

v1::LogLevel level_of_text(std::string_view line) {
  const auto head = line.substr(0, kWordWithin);
  if (head.size() > 5 && std::string_view("IWEF").find(head[0]) != std::string_view::npos && is_digit(head[1]) &&
      is_digit(head[2]) && is_digit(head[3]) && is_digit(head[4]) && head[5] == ' ') {
    return head[0] == 'I'   ? v1::LOG_LEVEL_INFO
           : head[0] == 'W' ? v1::LOG_LEVEL_WARNING
           : head[0] == 'E' ? v1::LOG_LEVEL_ERROR
                            : v1::LOG_LEVEL_FATAL;
  }
  for (std::size_t i = 0; i < head.size();) {
    if (head.substr(i).starts_with("\x1b[")) {  // of a terminal, up to its letter
      for (i += 2; i < head.size() && !is_letter(head[i]);) ++i;
      ++i;
      continue;
    }
    if (!is_letter(head[i])) {
      ++i;
      continue;
    }
    auto end = i;
    while (end < head.size() && is_letter(head[end])) ++end;
    const bool alone = i == 0 || (!is_digit(head[i - 1]) && head[i - 1] != '_');
    if (alone)
      if (const auto level = level_of_token(head, i, end); level != v1::LOG_LEVEL_UNKNOWN) return level;
    i = end;
  }
  return v1::LOG_LEVEL_UNKNOWN;
}

v1::LogLevel level_of_logfmt(std::string_view line) {
  for (const std::string_view key : {"level=", "lvl=", "severity="}) {
    const auto found = line.find(key);
    if (found == std::string_view::npos || (found > 0 && line[found - 1] != ' ')) continue;
    return level_of_value(line.substr(found + key.size()));
  }
  return v1::LOG_LEVEL_UNKNOWN;
}

std::string as_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

void flatten(const json::object& object, const std::string& lead, std::map<std::string, std::string>& into) {
  for (const auto& [key, value] : object) {
    const auto name = lead + std::string(key);
    if (value.is_object() && !value.get_object().empty()) {
      flatten(value.get_object(), name + ".", into);
    } else {
      into[name] = as_text(value);
    }
  }
}

// All of its fields; nullopt: it is no object.
std::optional<std::map<std::string, std::string>> fields_of(std::string_view line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || line[begin] != '{') return std::nullopt;
  json::error_code error;
  json::parse_options options;
  options.max_depth = kDepthMax;
  const auto value = json::parse({line.data(), line.size()}, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  std::map<std::string, std::string> fields;
  flatten(value.get_object(), "", fields);
  return fields;
}

}  // namespace

std::optional<v1::LogLevel> level_of_word(std::string_view word) {
  for (const auto& known : kWords) {
    const bool same = std::ranges::equal(known.word, word, [](char a, char b) { return a == (b | 0x20); });
    if (same) return known.level;
  }
  return std::nullopt;
}

v1::LogLevel level_of(std::string_view line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return v1::LOG_LEVEL_UNKNOWN;
  if (line[begin] == '{') return level_of_json(line);
  if (line[begin] == '<' && begin + 1 < line.size() && is_digit(line[begin + 1])) {
    int priority = 0;
    const auto* end = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + begin + 1, end, priority);
    if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '>') return level_of_priority(priority);
  }
  const auto level = level_of_logfmt(line);
  return level != v1::LOG_LEVEL_UNKNOWN ? level : level_of_text(line);
}

std::optional<JsonLine> parse_json_line(std::string_view line) {
  auto fields = fields_of(line);
  if (!fields) return std::nullopt;
  JsonLine result;
  for (const char* key : {"message", "msg", "log"}) {
    const auto found = fields->find(key);
    if (found == fields->end()) continue;
    result.message = found->second;
    fields->erase(found);
    break;
  }
  result.fields = std::move(*fields);
  return result;
}

bool has_fields(std::string_view line, const std::map<std::string, std::string>& wanted) {
  const auto fields = fields_of(line);
  return fields && std::ranges::all_of(wanted, [&](const auto& pair) {
           const auto found = fields->find(pair.first);
           return found != fields->end() && found->second == pair.second;
         });
}

}  // namespace orchion::core
