#include "control/services/paging.h"

#include <charconv>

#include <fmt/core.h>

namespace orchion::control::services {

namespace {

std::string to_hex(const std::string& text) {
  std::string out;
  for (unsigned char c : text) out += fmt::format("{:02x}", c);
  return out;
}

std::optional<std::string> from_hex(const std::string& hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (error != std::errc() || end != hex.data() + i + 2) return std::nullopt;
    out += static_cast<char>(value);
  }
  return out;
}

std::unexpected<base::Error> wrong(const std::string& field, const std::string& detail) {
  return std::unexpected(
      base::Error{base::Code::kInvalidArgument, fmt::format("{} {}", field, detail), {{"/" + field, detail}}});
}

}  // namespace

base::Result<Page> parse_page(int page_size, const std::string& page_token) {
  if (page_size < 0) return wrong("pageSize", "must not be negative: leave it out for the default");
  Page page;
  if (page_size > 0) page.size = static_cast<std::size_t>(std::min(page_size, kPageSizeMax));
  if (page_token.empty()) return page;
  const auto text = from_hex(page_token);
  const auto separator = text ? text->find('\0') : std::string::npos;
  if (separator == std::string::npos) return wrong("pageToken", "is not one that a list returned: begin without it");
  page.after = store::ObjectName{text->substr(0, separator), text->substr(separator + 1)};
  return page;
}

std::string page_token_after(const store::ObjectName& last) {
  return to_hex(last.stack + std::string(1, '\0') + last.name);
}

}  // namespace orchion::control::services
