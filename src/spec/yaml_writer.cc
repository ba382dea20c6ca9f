#include "spec/yaml_writer.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

// What some reader takes for a boolean, nothing, or a special number.
bool is_reserved_word(std::string_view text) {
  static const std::set<std::string, std::less<>> kWords = {"null", "true", "false", "yes", "no",
                                                            "on",   "off",  "y",     "n",   "~"};
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kWords.contains(low);
}

bool can_stand_plain(std::string_view text) {
  if (text.empty() || is_reserved_word(text)) return false;
  const auto first = static_cast<unsigned char>(text.front());
  if (std::isalpha(first) == 0 && first != '/' && first != '_') return false;
  return std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("/_.-@+=$").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

}  // namespace

std::string quote_yaml(std::string_view text) {
  if (can_stand_plain(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Whatever stands before a value: an end of line after a key whose map or list begins, indentation, a dash.
void YamlWriter::lead_in() {
  if (levels_.empty()) return;
  open_level();
  if (levels_.back().kind == Kind::kList) out_ += std::string(levels_.back().indent, ' ') + "-";
}

void YamlWriter::open_level() {
  Level& level = levels_.back();
  if (level.empty && levels_.size() > 1 && levels_[levels_.size() - 2].kind == Kind::kMap) out_ += '\n';
  if (level.empty && levels_.size() > 1 && levels_[levels_.size() - 2].kind == Kind::kList) {
    // A list in a list stands on lines of its own; a map's first key follows the dash.
    if (level.kind == Kind::kList) out_ += '\n';
    on_dash_ = level.kind == Kind::kMap;
  }
  level.empty = false;
}

void YamlWriter::begin(Kind kind) {
  if (!levels_.empty() && levels_.back().kind == Kind::kList) lead_in();
  levels_.push_back({kind, levels_.empty() ? 0 : levels_.back().indent + 2});
}

void YamlWriter::end(std::string_view when_empty) {
  const bool empty = levels_.back().empty;
  levels_.pop_back();
  if (empty) out_ += levels_.empty() ? when_empty.substr(1) : when_empty;
}

void YamlWriter::key(std::string_view key) {
  open_level();
  out_ += on_dash_ ? std::string(" ") : std::string(levels_.back().indent, ' ');
  on_dash_ = false;
  out_ += quote_yaml(key);
  out_ += ':';
}

void YamlWriter::text(std::string_view value) {
  plain(quote_yaml(value));
}

void YamlWriter::plain(std::string_view value) {
  if (!levels_.empty() && levels_.back().kind == Kind::kList) lead_in();
  if (!levels_.empty()) out_ += ' ';
  out_ += value;
  out_ += '\n';
}

}  // namespace orchion::spec
