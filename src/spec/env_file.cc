#include "spec/env_file.h"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/core.h>

#include "spec/utf8.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t kBytesMax = 1u << 20;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

bool in_key(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_.-[]").find(c) != std::string_view::npos;
}

void trim_end(std::string_view& text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
}

// The escapes of a double-quoted value. `\$` becomes `$$`, which the interpolation that follows reads as `$`.
std::string resolve_escapes(std::string_view text) {
  static const std::map<char, std::string_view> kEscapes = {{'a', "\a"}, {'b', "\b"}, {'f', "\f"}, {'n', "\n"},
                                                            {'r', "\r"}, {'t', "\t"}, {'v', "\v"}, {'\\', "\\"},
                                                            {'"', "\""}, {'$', "$$"}};
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto escape = text[i] == '\\' && i + 1 < text.size() ? kEscapes.find(text[i + 1]) : kEscapes.end();
    if (escape == kEscapes.end()) {
      out += text[i];
    } else {
      out += escape->second;
      ++i;
    }
  }
  return out;
}

class EnvFileParser {
 public:
  EnvFileParser(std::string_view text, const std::string& file, const Lookup& lookup)
      : text_(text), file_(file), lookup_(lookup) {}

  Result<std::vector<EnvVariable>> run() {
    for (skip_to_statement(); !done(); skip_to_statement()) RETURN_IF_ERROR(statement());
    return std::move(variables_);
  }

  Result<std::vector<EnvVariable>> run_raw() {
    for (; !done(); ++line_) {
      std::string_view line = rest_of_line();
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line.starts_with('#')) continue;
      const auto equals = line.find('=');
      const std::string name(line.substr(0, equals));
      if (equals != std::string_view::npos) {
        set(name, std::string(line.substr(equals + 1)));
      } else if (auto value = lookup_(name)) {
        set(name, *value);
      }
    }
    return std::move(variables_);
  }

 private:
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }

  std::unexpected<base::Error> fail(std::string_view sentence) const {
    return base::fail(Code::kInvalidArgument, fmt::format("{}:{}: {}", file_, line_, sentence));
  }

  std::string_view rest_of_line() {
    const auto end = std::min(text_.find('\n', at_), text_.size());
    const auto line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  void skip_to_statement() {
    while (!done()) {
      if (peek() == '#') {
        rest_of_line();
        ++line_;
      } else if (peek() == '\n') {
        ++line_;
        ++at_;
      } else if (is_blank(peek())) {
        ++at_;
      } else {
        return;
      }
    }
  }

  void skip_blanks() {
    while (!done() && is_blank(peek())) ++at_;
  }

  std::string key() {
    const auto start = at_;
    while (!done() && in_key(peek())) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  Result<> statement() {
    std::string name = key();
    skip_blanks();
    if (name == "export" && !done() && in_key(peek())) {
      name = key();
      skip_blanks();
    }
    if (name.empty()) return fail(fmt::format("`{}` can't stand in the name of a variable: write NAME=VALUE", peek()));
    if (done() || peek() == '\n') {
      if (auto value = lookup_(name)) set(name, *value);
      return {};
    }
    if (peek() != '=' && peek() != ':')
      return fail(fmt::format("there must be a `=` after the name {}: write {}=VALUE", name, name));
    ++at_;
    ASSIGN_OR_RETURN(auto value, value_of(name));
    set(name, std::move(value));
    return {};
  }

  // From behind the `=`. `A=#fff` is a value, `A= # note` is none.
  Result<std::string> value_of(const std::string& name) {
    const auto start = at_;
    skip_blanks();
    if (!done() && (peek() == '"' || peek() == '\'')) return quoted(name);
    const bool is_note = at_ > start && !done() && peek() == '#';
    auto value = rest_of_line();
    if (const auto note = value.find(" #"); note != std::string_view::npos) value = value.substr(0, note);
    if (is_note) value = {};
    trim_end(value);
    auto filled = fill_in(std::string(value));
    ++line_;
    return filled;
  }

  Result<std::string> quoted(const std::string& name) {
    const int first_line = line_;
    const char quote = peek();
    std::string content;
    for (++at_; !done(); ++at_) {
      const char c = peek();
      if (c == '\n') ++line_;
      if (c == quote) {
        ++at_;
        RETURN_IF_ERROR(end_of_quoted(name));
        return quote == '\'' ? content : fill_in(resolve_escapes(content));
      }
      if (c == '\\' && at_ + 1 < text_.size()) {
        // Only the quote itself is escaped here; other escapes are the double quotes' affair.
        if (text_[at_ + 1] != quote || quote == '"') content += c;
        ++at_;
        if (peek() == '\n') ++line_;
      }
      content += peek();
    }
    line_ = first_line;
    return fail(fmt::format("the value of {} has no closing quote: add it", name));
  }

  Result<> end_of_quoted(const std::string& name) {
    skip_blanks();
    if (done() || peek() == '\n' || peek() == '#') return {};
    return fail(fmt::format("something follows the closing quote of {}: put it inside the quotes", name));
  }

  Result<std::string> fill_in(const std::string& text) {
    if (text.find('$') == std::string::npos) return text;
    const Lookup lookup = [this](const std::string& name) -> std::optional<std::string> {
      if (auto value = lookup_(name)) return value;
      const auto above = places_.find(name);
      if (above == places_.end()) return std::nullopt;
      return variables_[above->second].value;
    };
    auto filled = interpolate(text, lookup, kBytesMax - std::min(kBytesMax, written_));
    if (!filled) return fail(filled.error().message);
    written_ += filled->text.size();
    return std::move(filled->text);
  }

  void set(const std::string& name, std::string value) {
    const auto [place, added] = places_.try_emplace(name, variables_.size());
    if (added) variables_.push_back({name, {}});
    variables_[place->second].value = std::move(value);
  }

  std::string_view text_;
  const std::string& file_;
  const Lookup& lookup_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t written_ = 0;
  std::vector<EnvVariable> variables_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace

Result<std::vector<EnvVariable>> parse_env_file(std::string_view text, const std::string& file, const Lookup& lookup,
                                                EnvFormat format) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!is_clean_text(text))
    return base::fail(Code::kInvalidArgument, fmt::format("{}: the file isn't text in UTF-8: save it as such", file));
  EnvFileParser parser(text, file, lookup);
  return format == EnvFormat::kRaw ? parser.run_raw() : parser.run();
}

}  // namespace orchion::spec
