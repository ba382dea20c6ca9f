#include "wire/http.h"

#include <algorithm>
#include <cctype>

namespace orchion::wire {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

void Headers::set(std::string name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
  add(std::move(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key.size() == name.size() && same_name(key, name)) return value;
  }
  return std::nullopt;
}

base::Co<std::string> read_whole(BodyReader& body, std::size_t bytes_max) {
  std::string whole;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body.read());
    if (!piece) co_return whole;
    if (whole.size() + piece->size() > bytes_max) {
      co_return base::fail(base::Code::kResourceExhausted,
                           "the body is larger than " + std::to_string(bytes_max) + " bytes: send less at once");
    }
    whole += *piece;
  }
}

}  // namespace orchion::wire
