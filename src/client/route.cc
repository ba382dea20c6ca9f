#include "client/route.h"

#include <cassert>
#include <set>

#include <fmt/core.h>
#include <google/protobuf/util/json_util.h>

#include "v1/options.pb.h"
#include "wire/http.h"

namespace orchion::client {

namespace {

using google::protobuf::FieldDescriptor;

// A scalar as a path segment or a query value.
std::string scalar_text(const google::protobuf::Message& message, const FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? reflection.GetRepeatedString(message, &field, index) : reflection.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32: return std::to_string(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return std::to_string(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32: return std::to_string(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64: return std::to_string(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: return reflection.GetEnum(message, &field)->name();
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      // A timestamp or duration: its JSON is a quoted string.
      std::string json;
      const auto printed = google::protobuf::util::MessageToJsonString(reflection.GetMessage(message, &field), &json);
      assert(printed.ok());
      (void)printed;
      return json.size() >= 2 && json.front() == '"' ? json.substr(1, json.size() - 2) : json;
    }
    default: assert(false && "no such field in a query"); return "";
  }
}

std::string query_of(const google::protobuf::Message& request, const std::set<std::string>& in_path) {
  std::vector<const FieldDescriptor*> fields;
  request.GetReflection()->ListFields(request, &fields);
  std::string query;
  for (const auto* field : fields) {
    if (in_path.contains(field->name()) || field->type() == FieldDescriptor::TYPE_BYTES) continue;
    const int count = field->is_repeated() ? request.GetReflection()->FieldSize(request, field) : 1;
    for (int i = 0; i < count; ++i) {
      query += query.empty() ? '?' : '&';
      query += field->json_name() + "=" + wire::encode_percent(scalar_text(request, *field, i));
    }
  }
  return query;
}

}  // namespace

base::Result<RestCall> rest_call(std::string_view method, const google::protobuf::Message& request) {
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(std::string(method));
  assert(descriptor != nullptr && descriptor->options().HasExtension(v1::rest));
  const v1::Rest& rest = descriptor->options().GetExtension(v1::rest);
  RestCall call{rest.verb(), "", ""};
  std::set<std::string> in_path;
  const std::string& path = rest.path();
  for (std::size_t i = 0; i < path.size();) {
    if (path[i] != '{') {
      call.target += path[i++];
      continue;
    }
    const auto end = path.find('}', i);
    const std::string name = path.substr(i + 1, end - i - 1);
    const std::string value = scalar_text(request, *request.GetDescriptor()->FindFieldByName(name), 0);
    if (value.empty()) return base::fail(base::Code::kInvalidArgument, fmt::format("the {} must not be empty", name));
    in_path.insert(name);
    call.target += wire::encode_percent(value);
    i = end + 1;
  }
  if (rest.body().empty()) {
    call.target += query_of(request, in_path);
    return call;
  }
  google::protobuf::util::JsonPrintOptions options;
  const auto printed = google::protobuf::util::MessageToJsonString(request, &call.body, options);
  if (!printed.ok())
    return base::fail(base::Code::kInvalidArgument, fmt::format("cannot write the request: {}", printed.ToString()));
  return call;
}

}  // namespace orchion::client
