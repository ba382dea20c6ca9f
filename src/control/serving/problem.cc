#include "control/serving/problem.h"

#include "control/serving/json_printer.h"

namespace orchion::control::serving {

using base::Code;

namespace {

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 401: return "Not authenticated";
    case 403: return "Not allowed";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 412: return "Changed meanwhile";
    case 413: return "Too large";
    case 421: return "Misdirected request";
    case 426: return "WebSocket required";
    case 429: return "Too much";
    case 499: return "Cancelled";
    case 501: return "Not implemented";
    case 503: return "Unavailable";
    case 504: return "Took too long";
    default: return "Internal error";
  }
}

}  // namespace

int http_status(Code code) {
  switch (code) {
    case Code::kOk: return 200;
    case Code::kCancelled: return 499;
    case Code::kInvalidArgument:
    case Code::kOutOfRange: return 400;
    case Code::kUnauthenticated: return 401;
    case Code::kPermissionDenied: return 403;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kAborted: return 409;
    case Code::kResourceExhausted: return 429;
    case Code::kUnimplemented: return 501;
    case Code::kUnavailable: return 503;
    case Code::kDeadlineExceeded: return 504;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss: break;
  }
  return 500;
}

std::string problem_document(const base::Error& error, int status) {
  std::string out = R"({"type":"about:blank","title":)";
  append_json_string(title_of(status), out);
  out += ",\"status\":" + std::to_string(status) + ",\"detail\":";
  append_json_string(error.message, out);
  out += ",\"code\":";
  append_json_string(base::code_name(error.code), out);
  out += ",\"errors\":[";
  for (std::size_t i = 0; i < error.fields.size(); ++i) {
    out += i == 0 ? "{\"pointer\":" : ",{\"pointer\":";
    append_json_string(error.fields[i].pointer, out);
    out += ",\"detail\":";
    append_json_string(error.fields[i].detail, out);
    out += '}';
  }
  out += "]}";
  return out;
}

wire::Response problem(const base::Error& error) {
  return problem(error, http_status(error.code));
}

wire::Response problem(const base::Error& error, int status) {
  wire::Response response{status, {}, problem_document(error, status)};
  response.headers.add("Content-Type", "application/problem+json");
  if (status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace orchion::control::serving
