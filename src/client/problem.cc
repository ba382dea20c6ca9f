#include "client/problem.h"

#include <fmt/core.h>
#include <boost/json.hpp>

namespace orchion::client {

namespace {

using base::Code;
namespace json = boost::json;

Code code_of_status(int status) {
  switch (status) {
    case 400:
    case 413:
    case 422: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 409: return Code::kAlreadyExists;
    case 412: return Code::kAborted;
    case 429: return Code::kResourceExhausted;
    case 499: return Code::kCancelled;
    case 501: return Code::kUnimplemented;
    case 502:
    case 503: return Code::kUnavailable;
    case 504: return Code::kDeadlineExceeded;
    default: return status >= 500 ? Code::kInternal : Code::kUnknown;
  }
}

std::optional<Code> code_of_name(std::string_view name) {
  for (int number = 1; number <= static_cast<int>(Code::kUnauthenticated); ++number)
    if (base::code_name(static_cast<Code>(number)) == name) return static_cast<Code>(number);
  return std::nullopt;
}

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* text = value ? value->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

}  // namespace

base::Error error_of_answer(int status, std::string_view body) {
  base::Error error{code_of_status(status), fmt::format("the server answered with status {}: see its log", status), {}};
  json::error_code ec;
  const auto value = json::parse(json::string_view(body.data(), body.size()), ec);
  const auto* problem = ec ? nullptr : value.if_object();
  if (!problem) return error;
  error.code = code_of_name(text_at(*problem, "code")).value_or(error.code);
  if (auto detail = text_at(*problem, "detail"); !detail.empty())
    error.message = std::move(detail);
  else if (auto title = text_at(*problem, "title"); !title.empty())
    error.message = std::move(title);
  const auto* fields = problem->if_contains("errors");
  if (!fields || !fields->is_array()) return error;
  for (const auto& field : fields->get_array())
    if (const auto* entry = field.if_object())
      error.fields.push_back({text_at(*entry, "pointer"), text_at(*entry, "detail")});
  return error;
}

}  // namespace orchion::client
