#include "control/serving/openapi.h"

#include <set>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "core/methods.h"
#include "v1/options.pb.h"

namespace orchion::control::serving {

namespace json = boost::json;
namespace pb = google::protobuf;
using CppType = pb::FieldDescriptor::CppType;

namespace {

// Writes schemas and remembers which messages they name.
class Schemas {
 public:
  json::object of(const pb::FieldDescriptor& field) {
    if (field.is_map()) {
      return {{"type", "object"}, {"additionalProperties", of_one(*field.message_type()->map_value())}};
    }
    if (field.is_repeated()) return {{"type", "array"}, {"items", of_one(field)}};
    return of_one(field);
  }

  json::object reference(const pb::Descriptor& type) {
    if (known_.insert(&type).second) waiting_.push_back(&type);
    return {{"$ref", "#/components/schemas/" + type.name()}};
  }

  // All that were named, and what they name.
  json::object all() {
    json::object out;
    while (!waiting_.empty()) {
      const auto* type = waiting_.back();
      waiting_.pop_back();
      out[type->name()] = message(*type);
    }
    return out;
  }

 private:
  json::object of_one(const pb::FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case CppType::CPPTYPE_INT32: return {{"type", "integer"}, {"format", "int32"}};
      case CppType::CPPTYPE_UINT32: return {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
      case CppType::CPPTYPE_INT64: return {{"type", "string"}, {"format", "int64"}};
      case CppType::CPPTYPE_UINT64: return {{"type", "string"}, {"format", "uint64"}};
      case CppType::CPPTYPE_DOUBLE:
      case CppType::CPPTYPE_FLOAT: return {{"type", "number"}};
      case CppType::CPPTYPE_BOOL: return {{"type", "boolean"}};
      case CppType::CPPTYPE_ENUM: return enumeration(*field.enum_type());
      case CppType::CPPTYPE_MESSAGE: return sub_message(*field.message_type());
      case CppType::CPPTYPE_STRING: break;
    }
    json::object out{{"type", "string"}};
    if (field.type() == pb::FieldDescriptor::TYPE_BYTES) out["contentEncoding"] = "base64";
    if (field.options().GetExtension(v1::secret)) out["writeOnly"] = true;
    return out;
  }

  static json::object enumeration(const pb::EnumDescriptor& type) {
    json::array names;
    for (int i = 0; i < type.value_count(); ++i) names.emplace_back(type.value(i)->name());
    return {{"type", "string"}, {"enum", std::move(names)}};
  }

  json::object sub_message(const pb::Descriptor& type) {
    if (type.full_name() == "google.protobuf.Timestamp") return {{"type", "string"}, {"format", "date-time"}};
    if (type.full_name() == "google.protobuf.Duration") return {{"type", "string"}};
    return reference(type);
  }

  json::object message(const pb::Descriptor& type) {
    json::object properties;
    for (int i = 0; i < type.field_count(); ++i) properties[type.field(i)->json_name()] = of(*type.field(i));
    return {{"type", "object"}, {"properties", std::move(properties)}};
  }

  std::set<const pb::Descriptor*> known_;
  std::vector<const pb::Descriptor*> waiting_;
};

bool stands_in_path(const Route& route, const pb::FieldDescriptor& field) {
  for (const auto& segment : route.segments) {
    if (segment.field == &field) return true;
  }
  return false;
}

json::object parameter(const pb::FieldDescriptor& field, bool in_path, Schemas& schemas) {
  json::object out{{"name", in_path ? field.name() : field.json_name()},
                   {"in", in_path ? "path" : "query"},
                   {"schema", schemas.of(field)}};
  if (in_path) out["required"] = true;
  return out;
}

bool fits_query(const pb::FieldDescriptor& field) {
  if (field.is_map() || field.type() == pb::FieldDescriptor::TYPE_BYTES) return false;
  return field.message_type() == nullptr || field.message_type()->full_name() == "google.protobuf.Timestamp" ||
         field.message_type()->full_name() == "google.protobuf.Duration";
}

json::array parameters(const Route& route, Schemas& schemas) {
  json::array out;
  const auto& request = *route.method->descriptor->input_type();
  for (int i = 0; i < request.field_count(); ++i) {
    const auto& field = *request.field(i);
    const bool in_path = stands_in_path(route, field);
    if (in_path) {
      out.push_back(parameter(field, true, schemas));
    } else if (!route.whole_body && route.kind != RouteKind::kWebSocket && &field != route.body_field &&
               fits_query(field)) {
      out.push_back(parameter(field, false, schemas));
    }
  }
  return out;
}

json::object content(std::string_view type, json::object schema) {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

json::object responses(const Route& route, Schemas& schemas) {
  const auto& output = *route.method->descriptor->output_type();
  json::object answer{{"description", "OK"}};
  std::string_view status = "200";
  switch (route.kind) {
    case RouteKind::kWebSocket:
      status = "101";
      answer["description"] = "A WebSocket: text frames of " + route.method->descriptor->input_type()->name() +
                              " to the server, of " + output.name() + " back";
      break;
    case RouteKind::kEvents: answer["content"] = content("text/event-stream", schemas.reference(output)); break;
    default: answer["content"] = content("application/json", schemas.reference(output));
  }
  json::object failed{{"description", "A problem (RFC 9457)"},
                      {"content", content("application/problem+json", {{"$ref", "#/components/schemas/Problem"}})}};
  return {{status, std::move(answer)}, {"default", std::move(failed)}};
}

json::object operation(const Route& route, Schemas& schemas) {
  const auto& method = *route.method->descriptor;
  const auto permission = core::permission_of(method);
  json::object out{{"operationId", method.name()},
                   {"tags", json::array{method.service()->name()}},
                   {"x-permission", permission},
                   {"parameters", parameters(route, schemas)},
                   {"responses", responses(route, schemas)}};
  if (permission == "public") out["security"] = json::array();
  if (route.whole_body) {
    out["requestBody"] =
        json::object{{"content", content("application/json", schemas.reference(*method.input_type()))}};
  } else if (route.body_field != nullptr) {
    out["requestBody"] = json::object{{"content", content("application/json", schemas.of(*route.body_field))}};
  } else if (route.kind == RouteKind::kUpload) {
    out["requestBody"] = json::object{{"content", json::object{{"application/octet-stream", json::object()}}}};
  }
  return out;
}

json::object problem_schema() {
  const json::object text{{"type", "string"}};
  const json::object violation{{"type", "object"}, {"properties", json::object{{"pointer", text}, {"detail", text}}}};
  return {{"type", "object"},
          {"properties", json::object{{"type", text},
                                      {"title", text},
                                      {"status", json::object{{"type", "integer"}}},
                                      {"detail", text},
                                      {"code", text},
                                      {"errors", json::object{{"type", "array"}, {"items", violation}}}}}};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

std::string openapi_document(const RouteTable& routes, const std::string& version) {
  Schemas schemas;
  json::object paths;
  for (const auto& route : routes.routes()) {
    auto& path = paths[route.path];
    if (path.is_null()) path.emplace_object();
    path.as_object()[lower(route.verb)] = operation(route, schemas);
  }
  auto named = schemas.all();
  named["Problem"] = problem_schema();
  const json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  const json::object document{{"openapi", "3.1.0"},
                              {"info", json::object{{"title", "orchion"}, {"version", version}}},
                              {"security", json::array{json::object{{"bearer", json::array()}}}},
                              {"paths", std::move(paths)},
                              {"components", json::object{{"securitySchemes", json::object{{"bearer", bearer}}},
                                                          {"schemas", std::move(named)}}}};
  return json::serialize(document);
}

}  // namespace orchion::control::serving
