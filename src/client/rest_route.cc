#include "client/rest_route.h"

#include <cassert>
#include <memory>
#include <set>
#include <vector>

#include <fmt/core.h>
#include <google/protobuf/util/json_util.h>

#include "v1/options.pb.h"
#include "wire/http.h"

namespace orchion::client {

namespace {

using base::Code;
using base::Result;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// One value of a field as it stands in a path or a query; `index` for a repeated one, -1 else.
Result<std::string> value_text(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return many ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return std::string((many ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field)) ? "true"
                                                                                                         : "false");
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(many ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(many ? r.GetRepeatedInt64(message, &field, index) : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(many ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(many ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string((many ? r.GetRepeatedEnum(message, &field, index) : r.GetEnum(message, &field))->name());
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      // Timestamps and durations are JSON strings; their quotes go.
      ASSIGN_OR_RETURN(auto json,
                       to_json(many ? r.GetRepeatedMessage(message, &field, index) : r.GetMessage(message, &field)));
      if (json.size() < 2 || json.front() != '"')
        return base::fail(Code::kInternal, fmt::format("the field {} can't stand in a query", field.name()));
      return json.substr(1, json.size() - 2);
    }
    default: return base::fail(Code::kInternal, fmt::format("the field {} can't stand in a query", field.name()));
  }
}

// Replaces "{field}" in the route; the names go to `used`.
Result<std::string> fill_path(const std::string& path, const Message& request, std::set<std::string>& used) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    const auto open = path.find('{', at);
    out += path.substr(at, open - at);
    if (open == std::string::npos) break;
    const auto close = path.find('}', open);
    const auto name = path.substr(open + 1, close - open - 1);
    const auto* field = request.GetDescriptor()->FindFieldByName(name);
    assert(field != nullptr && "the route names a field that isn't there");
    ASSIGN_OR_RETURN(const auto value, value_text(request, *field, -1));
    if (value.empty()) return base::fail(Code::kInvalidArgument, fmt::format("no {} was given: name one", name));
    out += wire::encode_percent(value);
    used.insert(name);
    at = close + 1;
  }
  return out;
}

Result<std::string> query_of(const Message& request, const std::set<std::string>& used) {
  std::vector<const FieldDescriptor*> fields;
  request.GetReflection()->ListFields(request, &fields);
  std::string query;
  const auto add = [&](const FieldDescriptor& field, const std::string& value) {
    query += query.empty() ? '?' : '&';
    query += fmt::format("{}={}", std::string(field.json_name()), wire::encode_percent(value));
  };
  for (const auto* field : fields) {
    if (used.contains(std::string(field->name()))) continue;
    const int count = field->is_repeated() ? request.GetReflection()->FieldSize(request, field) : 1;
    for (int i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const auto value, value_text(request, *field, field->is_repeated() ? i : -1));
      add(*field, value);
    }
  }
  return query;
}

Result<std::string> body_of(const Message& request, const std::string& body, const std::set<std::string>& used) {
  const Descriptor& type = *request.GetDescriptor();
  const Reflection& reflection = *request.GetReflection();
  if (body != "*") {
    const auto* field = type.FindFieldByName(body);
    assert(field != nullptr && "the route's body names a field that isn't there");
    return to_json(reflection.GetMessage(request, field));
  }
  const std::unique_ptr<Message> rest(request.New());
  rest->CopyFrom(request);
  for (const auto& name : used) reflection.ClearField(rest.get(), type.FindFieldByName(name));
  return to_json(*rest);
}

}  // namespace

const google::protobuf::MethodDescriptor& find_method(std::string_view full_name) {
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(std::string(full_name));
  assert(method != nullptr && "no such rpc in api/");
  return *method;
}

Result<RestRequest> make_rest_request(const google::protobuf::MethodDescriptor& method, const Message& request) {
  const v1::Rest route = method.options().GetExtension(v1::rest);
  RestRequest out;
  out.verb = route.verb();
  std::set<std::string> used;
  ASSIGN_OR_RETURN(out.target, fill_path(route.path(), request, used));
  if (!route.body().empty()) {
    ASSIGN_OR_RETURN(out.body, body_of(request, route.body(), used));
    if (route.body() == "*") return out;
    used.insert(route.body());
  }
  ASSIGN_OR_RETURN(const auto query, query_of(request, used));
  out.target += query;
  return out;
}

Result<std::string> to_json(const Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  if (!status.ok())
    return base::fail(Code::kInvalidArgument,
                      fmt::format("the request can't be written as JSON ({}): use text in UTF-8 only",
                                  std::string(status.message())));
  return json;
}

Result<> from_json(std::string_view json, Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &message, options);
  if (!status.ok())
    return base::fail(Code::kInternal, fmt::format("the server's answer isn't what was expected ({}): compare `orchion "
                                                   "version` with the server's",
                                                   std::string(status.message())));
  return {};
}

}  // namespace orchion::client
