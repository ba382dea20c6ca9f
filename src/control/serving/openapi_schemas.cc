#include "control/serving/openapi_schemas.h"

#include <boost/json/array.hpp>

#include "v1/options.pb.h"

namespace orchion::control::serving {

namespace json = boost::json;
namespace pb = google::protobuf;
using CppType = pb::FieldDescriptor::CppType;

namespace {

json::object enumeration(const pb::EnumDescriptor& type) {
  json::array names;
  for (int i = 0; i < type.value_count(); ++i) names.emplace_back(type.value(i)->name());
  return {{"type", "string"}, {"enum", std::move(names)}};
}

void add_paragraph(std::string_view text, std::string& out) {
  if (text.empty()) return;
  if (!out.empty()) out += "\n\n";
  out += text;
}

// As Markdown: those that need a word.
std::string list_of_values(const pb::EnumDescriptor& type, const Comments& comments) {
  std::string out;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto comment = comments.of(type.value(i)->full_name());
    if (comment.empty()) continue;
    out += (out.empty() ? "- `" : "\n- `") + type.value(i)->name() + "`: ";
    out += comment;
  }
  return out;
}

}  // namespace

std::string Schemas::description(const pb::FieldDescriptor& field) const {
  std::string out(comments_.of(field.full_name()));
  if (field.options().GetExtension(v1::secret)) add_paragraph("Secret: answers have <redacted>.", out);
  if (const auto* type = field.enum_type()) {
    add_paragraph(comments_.of(type->full_name()), out);
    add_paragraph(list_of_values(*type, comments_), out);
  }
  return out;
}

json::object Schemas::of(const pb::FieldDescriptor& field) {
  auto out = plain(field);
  if (auto said = description(field); !said.empty()) out["description"] = std::move(said);
  return out;
}

json::object Schemas::plain(const pb::FieldDescriptor& field) {
  if (field.is_map()) {
    return {{"type", "object"}, {"additionalProperties", of_one(*field.message_type()->map_value())}};
  }
  if (field.is_repeated()) return {{"type", "array"}, {"items", of_one(field)}};
  return of_one(field);
}

json::object Schemas::reference(const pb::Descriptor& type) {
  if (known_.insert(&type).second) waiting_.push_back(&type);
  return {{"$ref", "#/components/schemas/" + type.name()}};
}

json::object Schemas::all() {
  json::object out;
  while (!waiting_.empty()) {
    const auto* type = waiting_.back();
    waiting_.pop_back();
    out[type->name()] = message(*type);
  }
  return out;
}

json::object Schemas::of_one(const pb::FieldDescriptor& field) {
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
  return out;
}

json::object Schemas::sub_message(const pb::Descriptor& type) {
  if (type.full_name() == "google.protobuf.Timestamp") return {{"type", "string"}, {"format", "date-time"}};
  if (type.full_name() == "google.protobuf.Duration") {
    return {{"type", "string"}, {"pattern", R"(^-?[0-9]+(\.[0-9]+)?s$)"}};
  }
  return reference(type);
}

// Closed: an unknown field is refused, and no answer has one.
json::object Schemas::message(const pb::Descriptor& type) {
  json::object properties;
  for (int i = 0; i < type.field_count(); ++i) properties[type.field(i)->json_name()] = of(*type.field(i));
  json::object out{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (const auto said = comments_.of(type.full_name()); !said.empty()) out["description"] = said;
  return out;
}

}  // namespace orchion::control::serving
