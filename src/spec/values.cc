#include "spec/values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

using base::Code;
using base::fail;
using base::Result;

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// A decimal number at the front of `text`, taken off it; no sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  const auto length = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc() || length == 0 || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

template <class T>
std::optional<T> accept(const Node& node, std::string_view what, Result<T> parsed, Problems& problems) {
  if (parsed) return *std::move(parsed);
  problems.add(node.at, fmt::format("`{}`: {}", what, parsed.error().message));
  return std::nullopt;
}

}  // namespace

Result<std::int64_t> parse_bytes(std::string_view text) {
  constexpr std::string_view kUnits = "bkmgtp";
  const auto broken = [&] {
    return fail(Code::kInvalidArgument,
                fmt::format("`{}` isn't a size: write a number with b, k, m or g, as in 512m", text));
  };
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number) return broken();
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string unit = lower(rest);
  int power = 0;
  if (!unit.empty()) {
    const auto found = kUnits.find(unit[0]);
    const std::string_view tail = std::string_view(unit).substr(1);
    if (found == std::string_view::npos || !(tail.empty() || (found > 0 && (tail == "b" || tail == "ib"))))
      return broken();
    power = static_cast<int>(found);
  }
  const double bytes = *number * std::pow(1024.0, power);
  if (bytes >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return broken();
  return static_cast<std::int64_t>(bytes);
}

Result<base::Duration> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  // Longer names first: "ms" isn't minutes.
  static constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                    {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  const auto broken = [&] {
    return fail(Code::kInvalidArgument, fmt::format("`{}` isn't a duration: write it as 10s, 500ms or 1m30s", text));
  };
  std::string_view rest = text;
  if (rest == "0") return base::Duration::zero();
  double total = 0;
  if (rest.empty()) return broken();
  while (!rest.empty()) {
    const auto number = take_number(rest);
    const auto unit = std::ranges::find_if(kUnits, [&](const Unit& u) { return rest.starts_with(u.name); });
    if (!number || unit == std::end(kUnits)) return broken();
    rest.remove_prefix(unit->name.size());
    total += *number * unit->nanoseconds;
  }
  if (total >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) return broken();
  return base::Duration(static_cast<std::int64_t>(std::llround(total)));
}

Result<std::int64_t> parse_nano_cpus(std::string_view text) {
  constexpr double kMost = 1e6;
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number || !rest.empty() || *number > kMost)
    return fail(Code::kInvalidArgument, fmt::format("`{}` isn't a number of cores: write it as 0.5 or 2", text));
  return static_cast<std::int64_t>(std::llround(*number * 1e9));
}

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool has_next = i + 1 < text.size();
    if (quote == '\'' && c != '\'') {
      word += c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (c == '\\' && has_next &&
               (quote == 0 || std::string_view("\"\\$`").find(text[i + 1]) != std::string_view::npos)) {
      word += text[++i];
      in_word = true;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      in_word = true;
    } else if (quote == 0 && std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return fail(Code::kInvalidArgument, "a quote isn't closed: close it, or write the command as a list");
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::uint32_t> parse_file_mode(std::string_view text) {
  constexpr std::uint32_t kMost = 07777;
  std::string_view digits = text.starts_with("0o") ? text.substr(2) : text;
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
  if (error != std::errc() || end != digits.data() + digits.size() || mode > kMost || mode == 0)
    return fail(Code::kInvalidArgument, fmt::format("`{}` isn't a mode: write permissions as 0440", text));
  return mode;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "yes" || word == "on" || word == "y" || word == "1") return true;
  if (word == "false" || word == "no" || word == "off" || word == "n" || word == "0") return false;
  return std::nullopt;
}

const Node* find_value(const Node& map, std::string_view key) {
  const auto* value = map.find(key);
  return value && !value->is_null() ? value : nullptr;
}

std::optional<std::string> read_text(const Node& node, std::string_view what, Problems& problems) {
  if (node.is_scalar()) return node.text;
  problems.add(node.at, fmt::format("`{}` must be text, not {}", what, node.describe()));
  return std::nullopt;
}

std::optional<bool> read_bool(const Node& node, std::string_view what, Problems& problems) {
  const auto value = node.is_scalar() ? parse_bool(node.text) : std::nullopt;
  if (!value) problems.add(node.at, fmt::format("`{}` must be true or false, not {}", what, node.describe()));
  return value;
}

std::optional<std::int64_t> read_integer(const Node& node, std::string_view what, std::int64_t least, std::int64_t most,
                                         Problems& problems) {
  const auto value = node.is_scalar() ? parse_integer(node.text) : std::nullopt;
  if (value && *value >= least && *value <= most) return value;
  problems.add(node.at,
               fmt::format("`{}` must be a whole number from {} to {}, not {}", what, least, most, node.describe()));
  return std::nullopt;
}

std::optional<std::int64_t> read_bytes(const Node& node, std::string_view what, Problems& problems) {
  const auto text = read_text(node, what, problems);
  return text ? accept(node, what, parse_bytes(*text), problems) : std::nullopt;
}

std::optional<std::int64_t> read_nano_cpus(const Node& node, std::string_view what, Problems& problems) {
  const auto text = read_text(node, what, problems);
  return text ? accept(node, what, parse_nano_cpus(*text), problems) : std::nullopt;
}

std::optional<base::Duration> read_duration(const Node& node, std::string_view what, Problems& problems) {
  const auto text = read_text(node, what, problems);
  return text ? accept(node, what, parse_duration(*text), problems) : std::nullopt;
}

std::vector<std::string> read_list(const Node& node, std::string_view what, Single single, Problems& problems) {
  if (node.is_scalar() && single == Single::kIsAList) return {node.text};
  if (!expect_list(node, what, problems)) return {};
  std::vector<std::string> values;
  for (const auto& item : node.items)
    if (auto text = read_text(item, what, problems)) values.push_back(*std::move(text));
  return values;
}

std::vector<Pair> read_pairs(const Node& node, std::string_view what, Problems& problems) {
  std::vector<Pair> pairs;
  if (node.is_list()) {
    for (const auto& item : node.items) {
      const auto text = read_text(item, what, problems);
      if (!text) continue;
      const auto equals = text->find('=');
      pairs.push_back({text->substr(0, equals), std::nullopt, item.at});
      if (equals != std::string::npos) pairs.back().value = text->substr(equals + 1);
    }
  } else if (expect_map(node, what, problems)) {
    for (const auto& entry : node.entries) {
      pairs.push_back({entry.key, std::nullopt, entry.key_at});
      if (!entry.value.is_null()) pairs.back().value = read_text(entry.value, entry.key, problems);
    }
  }
  for (const auto& pair : pairs)
    if (pair.key.empty()) problems.add(pair.at, fmt::format("a name in `{}` is empty: write NAME=VALUE", what));
  return pairs;
}

bool expect_map(const Node& node, std::string_view what, Problems& problems) {
  if (node.is_map() || node.is_null()) return true;
  problems.add(node.at, fmt::format("`{}` must be a map, not {}", what, node.describe()));
  return false;
}

bool expect_list(const Node& node, std::string_view what, Problems& problems) {
  if (node.is_list() || node.is_null()) return true;
  problems.add(node.at, fmt::format("`{}` must be a list, not {}", what, node.describe()));
  return false;
}

}  // namespace orchion::spec
