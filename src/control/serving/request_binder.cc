#include "control/serving/request_binder.h"

#include <google/protobuf/util/json_util.h>

#include "control/serving/body_faults.h"
#include "control/serving/field_text.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
using base::Code;

namespace {

std::unexpected<base::Error> wrong(std::string pointer, const std::string& name, std::string detail) {
  return std::unexpected(
      base::Error{Code::kInvalidArgument, "'" + name + "': " + detail, {{std::move(pointer), std::move(detail)}}});
}

// "spec.services[0].dry_run" → "/spec/services/0/dryRun".
std::string pointer_of(std::string_view path) {
  std::string out;
  bool after_underscore = false;
  for (const char c : path) {
    if (c == ']') continue;
    if (c == '_') {
      after_underscore = true;
      continue;
    }
    const bool raise = std::exchange(after_underscore, false) && c >= 'a' && c <= 'z';
    out += c == '.' || c == '[' ? '/' : raise ? static_cast<char>(c - 32) : c;
  }
  return "/" + out;
}

constexpr std::string_view kInvalidValue = "): invalid value ";

// protobuf says "(spec.a): invalid value 5 for type TYPE_X"; the value is left out, since it may be a secret.
base::Error explain(std::string_view said) {
  if (said.starts_with('(') && said.find(kInvalidValue) != std::string_view::npos) {
    const std::string where(said.substr(1, said.find(')') - 1));
    return {Code::kInvalidArgument,
            "the value of '" + where + "' is not of the field's type: see /openapi.json",
            {{pointer_of(where), "not of the field's type"}}};
  }
  std::string text(said.substr(0, said.find('\n')));
  return {Code::kInvalidArgument, "the body is not the JSON that is wanted: " + text, {{"", text}}};
}

base::Error explain(std::vector<base::FieldViolation> faults) {
  const auto& first = faults[0];
  std::string message =
      "the body does not fit: " + (first.pointer.empty() ? "" : first.pointer + " is ") + first.detail;
  if (faults.size() > 1) message += " (and " + std::to_string(faults.size() - 1) + " more)";
  return {Code::kInvalidArgument, message + ": correct or remove it, see /openapi.json", std::move(faults)};
}

// The field `name` of `type` in either spelling.
const pb::FieldDescriptor* find_field(const pb::Descriptor& type, const std::string& name) {
  if (const auto* field = type.FindFieldByCamelcaseName(name)) return field;
  return type.FindFieldByName(name);
}

base::Result<> set_path_field(pb::Message& message, const pb::FieldDescriptor& field, const std::string& text) {
  if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
    const auto in_body = message.GetReflection()->GetString(message, &field);
    if (!in_body.empty() && in_body != text) {
      return wrong("/" + field.json_name(), field.json_name(), "the path says '" + text + "', the body something else");
    }
  }
  if (auto set = set_from_text(message, field, text); !set) {
    return wrong("/" + field.json_name(), field.json_name(), set.error().message);
  }
  return {};
}

}  // namespace

base::Result<> parse_json(const std::string& json, pb::Message& message) {
  const auto status = pb::util::JsonStringToMessage(json, &message);
  if (status.ok()) return {};
  if (auto faults = faults_of(json, *message.GetDescriptor()); !faults.empty()) {
    return std::unexpected(explain(std::move(faults)));
  }
  const auto text = status.message();
  return std::unexpected(explain({text.data(), text.size()}));
}

base::Result<> set_parameter(pb::Message& message, const std::string& name, const std::string& text) {
  pb::Message* target = &message;
  std::string_view rest = name;
  while (true) {
    const auto dot = rest.find('.');
    const auto* field = find_field(*target->GetDescriptor(), std::string(rest.substr(0, dot)));
    if (field == nullptr) return wrong("/" + name, name, "there is no such parameter: correct or remove it");
    if (dot == std::string_view::npos) {
      if (auto set = set_from_text(*target, *field, text); !set) return wrong("/" + name, name, set.error().message);
      return {};
    }
    if (field->is_repeated() || field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      return wrong("/" + name, name, "it has no fields of its own");
    }
    target = target->GetReflection()->MutableMessage(target, field);
    rest.remove_prefix(dot + 1);
  }
}

base::Result<core::MessagePtr> bind_request(const RouteMatch& match, const QueryParameters& query,
                                            const std::string& body) {
  const Route& route = *match.route;
  auto request = route.method->new_request();
  if (route.has_body() && !body.empty()) {
    auto* target =
        route.whole_body ? request.get() : request->GetReflection()->MutableMessage(request.get(), route.body_field);
    RETURN_IF_ERROR(parse_json(body, *target));
  }
  for (const auto& [name, text] : query) RETURN_IF_ERROR(set_parameter(*request, name, text));
  std::size_t next = 0;
  for (const auto& segment : route.segments) {
    if (segment.field == nullptr) continue;
    RETURN_IF_ERROR(set_path_field(*request, *segment.field, match.parameters[next++]));
  }
  return request;
}

}  // namespace orchion::control::serving
