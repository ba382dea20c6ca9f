// What stands after the method: percent-encoding, path segments, query parameters.

#include "wire/http.h"

namespace orchion::wire {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Calls `each` for every part of `text` between separators.
template <class Each>
base::Result<> split(std::string_view text, char separator, Each each) {
  while (true) {
    const auto end = text.find(separator);
    RETURN_IF_ERROR(each(text.substr(0, end)));
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

base::Result<> add_parameter(std::string_view part, Target& target) {
  if (part.empty()) return {};
  const auto equals = part.find('=');
  ASSIGN_OR_RETURN(auto name, decode_percent(part.substr(0, equals), true));
  std::string value;
  if (equals != std::string_view::npos) {
    ASSIGN_OR_RETURN(value, decode_percent(part.substr(equals + 1), true));
  }
  target.query.emplace_back(std::move(name), std::move(value));
  return {};
}

}  // namespace

base::Result<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return base::fail(base::Code::kInvalidArgument,
                          "'" + std::string(text) + "' holds a broken percent escape: write a '%' as %25");
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string encode_percent(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

base::Result<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') {
    return base::fail(base::Code::kInvalidArgument, "the target of a request begins with '/'");
  }
  text = text.substr(0, text.find('#'));
  const auto question = text.find('?');
  Target target;
  RETURN_IF_ERROR(split(text.substr(1, question == std::string_view::npos ? question : question - 1), '/',
                        [&](std::string_view part) -> base::Result<> {
                          ASSIGN_OR_RETURN(auto segment, decode_percent(part));
                          target.path.push_back(std::move(segment));
                          return {};
                        }));
  // "/" has no segments, and a slash at the end adds none.
  if (target.path.back().empty()) target.path.pop_back();
  if (question != std::string_view::npos) {
    RETURN_IF_ERROR(
        split(text.substr(question + 1), '&', [&](std::string_view part) { return add_parameter(part, target); }));
  }
  return target;
}

}  // namespace orchion::wire
