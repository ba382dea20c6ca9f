#include "spec/interpolation.h"

#include <fmt/core.h>

#include "spec/utf8.h"

namespace orchion::spec {

namespace {

using base::Code;
using base::Result;

constexpr int kDepthMax = 32;

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool in_name(char c) {
  return starts_name(c) || (c >= '0' && c <= '9');
}

// One pass, recursive descent. Parts that aren't needed are walked over with `live` false.
class Interpolation {
 public:
  Interpolation(std::string_view text, const Lookup& lookup, std::size_t bytes_max)
      : text_(text), lookup_(lookup), bytes_max_(bytes_max) {}

  Result<Interpolated> run() {
    ASSIGN_OR_RETURN(auto text, sequence(Level{0, true}));
    if (!is_clean_text(text))
      return base::fail(Code::kInvalidArgument, "a variable's value isn't text in UTF-8: set it to one that is");
    return Interpolated{std::move(text), std::move(unset_)};
  }

 private:
  struct Level {
    int depth = 0;     // 0: the whole text, else inside so many braces
    bool live = true;  // false: syntax only
  };

  bool done() const { return at_ == text_.size(); }
  char peek() const { return text_[at_]; }

  Result<> append(std::string& out, std::string_view piece, const Level& level) {
    if (!level.live) return {};
    written_ += piece.size();
    if (written_ > bytes_max_)
      return base::fail(Code::kInvalidArgument, "the value becomes too long once its variables are filled in");
    out += piece;
    return {};
  }

  // Up to the end, or to the brace that closes the expression this is a part of.
  Result<std::string> sequence(Level level) {
    std::string out;
    int plain_braces = 0;
    while (!done()) {
      const char c = peek();
      if (level.depth > 0 && c == '}' && plain_braces == 0) break;
      if (c == '$') {
        RETURN_IF_ERROR(dollar(out, level));
        continue;
      }
      if (c == '{') ++plain_braces;
      if (c == '}' && plain_braces > 0) --plain_braces;
      RETURN_IF_ERROR(append(out, text_.substr(at_, 1), level));
      ++at_;
    }
    return out;
  }

  Result<> dollar(std::string& out, const Level& level) {
    ++at_;
    if (done()) return append(out, "$", level);
    if (peek() == '$') {
      ++at_;
      return append(out, "$", level);
    }
    if (peek() == '{') {
      ++at_;
      ASSIGN_OR_RETURN(auto value, braced(level));
      return append(out, value, level);
    }
    if (!starts_name(peek())) return append(out, "$", level);
    return append(out, value_or_empty(name(), level), level);
  }

  std::string name() {
    const auto start = at_;
    while (!done() && in_name(peek())) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  std::string value_or_empty(const std::string& variable, const Level& level) {
    if (!level.live) return {};
    auto value = lookup_(variable);
    if (!value) unset_.push_back(variable);
    return value.value_or("");
  }

  std::unexpected<base::Error> broken() const {
    return base::fail(
        Code::kInvalidArgument,
        "there is a `${` that isn't a whole variable: write ${NAME}, ${NAME:-default}, or `$$` for a plain `$`");
  }

  Result<std::string> braced(const Level& level) {
    if (level.depth >= kDepthMax)
      return base::fail(Code::kInvalidArgument,
                        "the variables are nested too deep: use fewer defaults inside defaults");
    if (done() || !starts_name(peek())) return broken();
    const std::string variable = name();
    if (done()) return broken();
    if (peek() == '}') {
      ++at_;
      return value_or_empty(variable, level);
    }
    const bool empty_counts_as_unset = peek() == ':';
    if (empty_counts_as_unset) ++at_;
    if (done() || std::string_view("-?+").find(peek()) == std::string_view::npos) return broken();
    const char form = peek();
    ++at_;
    std::optional<std::string> value;
    if (level.live) value = lookup_(variable);
    const bool present = value && !(empty_counts_as_unset && value->empty());
    const bool wanted = form == '+' ? present : !present;
    ASSIGN_OR_RETURN(auto word, sequence(Level{level.depth + 1, level.live && wanted}));
    if (done()) return broken();
    ++at_;  // the closing brace
    if (!level.live) return std::string();
    if (form == '+') return present ? word : std::string();
    if (present) return *value;
    if (form == '-') return word;
    return base::fail(Code::kInvalidArgument,
                      fmt::format("the variable {} is required{}{}: set it in the environment or in .env", variable,
                                  word.empty() ? "" : ", ", word));
  }

  std::string_view text_;
  const Lookup& lookup_;
  std::size_t bytes_max_;
  std::size_t at_ = 0;
  std::size_t written_ = 0;
  std::vector<std::string> unset_;
};

}  // namespace

Result<Interpolated> interpolate(std::string_view text, const Lookup& lookup, std::size_t bytes_max) {
  return Interpolation(text, lookup, bytes_max).run();
}

void TreeInterpolator::run(Node& node, const Lookup& lookup) {
  if (node.is_scalar()) return scalar(node, lookup);
  for (auto& item : node.items) run(item, lookup);
  for (auto& entry : node.entries)
    if (!is_extension(entry.key) || entry.key == kOwnExtension) run(entry.value, lookup);
}

void TreeInterpolator::scalar(Node& node, const Lookup& lookup) {
  if (node.text.find('$') == std::string::npos) return;
  auto filled = interpolate(node.text, lookup, bytes_left_);
  if (!filled) return problems_.add_final(node.at, filled.error().message);
  bytes_left_ -= filled->text.size();
  for (const auto& variable : filled->unset) {
    if (!warned_.insert(variable).second) continue;
    warnings_.push_back(
        fmt::format("{}: the variable {} isn't set and stands for nothing: set it, or write ${{{}:-default}}",
                    node.at.text(), variable, variable));
  }
  node.text = std::move(filled->text);
}

}  // namespace orchion::spec
