#include "control/serving/body_faults.h"

#include <charconv>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace orchion::control::serving {

namespace json = boost::json;
namespace pb = google::protobuf;
using CppType = pb::FieldDescriptor::CppType;

namespace {

constexpr std::size_t kFaultsMax = 100;

// A key as one step of an RFC 6901 pointer.
std::string step(std::string_view key) {
  std::string out = "/";
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

class Faults {
 public:
  std::vector<base::FieldViolation> found;

  void check_message(const json::value& value, const pb::Descriptor& type, const std::string& pointer) {
    // Well-known types are text in JSON.
    if (type.full_name().starts_with("google.protobuf.")) return check_sort(value.is_string(), pointer, "text");
    if (!value.is_object()) return check_sort(false, pointer, "an object");
    for (const auto& [key, inner] : value.as_object()) {
      const auto* field = type.FindFieldByCamelcaseName(std::string(key));
      if (field == nullptr) field = type.FindFieldByName(std::string(key));
      if (field == nullptr) {
        add(pointer + step(key), "an unknown field");
      } else {
        check_field(inner, *field, pointer + step(key));
      }
    }
  }

 private:
  void add(std::string pointer, std::string detail) {
    if (found.size() < kFaultsMax) found.push_back({std::move(pointer), std::move(detail)});
  }

  void check_sort(bool fits, const std::string& pointer, const std::string& wanted) {
    if (!fits) add(pointer, "not " + wanted);
  }

  void check_field(const json::value& value, const pb::FieldDescriptor& field, const std::string& pointer) {
    if (value.is_null()) return;
    if (field.is_map()) {
      if (!value.is_object()) return check_sort(false, pointer, "an object");
      const auto& inner = *field.message_type()->map_value();
      for (const auto& [key, one] : value.as_object()) check_one(one, inner, pointer + step(key));
    } else if (field.is_repeated()) {
      if (!value.is_array()) return check_sort(false, pointer, "a list");
      std::size_t n = 0;
      for (const auto& one : value.as_array()) check_one(one, field, pointer + "/" + std::to_string(n++));
    } else {
      check_one(value, field, pointer);
    }
  }

  // Not more strict than protobuf, which takes "5" for a number and a number for text.
  void check_one(const json::value& value, const pb::FieldDescriptor& field, const std::string& pointer) {
    const bool scalar = !value.is_structured();
    const auto* text = value.if_string();
    switch (field.cpp_type()) {
      case CppType::CPPTYPE_MESSAGE: return check_message(value, *field.message_type(), pointer);
      case CppType::CPPTYPE_STRING: return check_sort(scalar, pointer, "text");
      case CppType::CPPTYPE_BOOL:
        return check_sort(value.is_bool() || (text != nullptr && (*text == "true" || *text == "false")), pointer,
                          "true or false");
      case CppType::CPPTYPE_ENUM:
        return check_sort(
            value.is_number() || (text != nullptr && field.enum_type()->FindValueByName(std::string(*text)) != nullptr),
            pointer, "one of the field's names");
      default:
        return check_sort(value.is_number() || (text != nullptr && is_number({text->data(), text->size()})), pointer,
                          "a number");
    }
  }
};

}  // namespace

std::vector<base::FieldViolation> faults_of(const std::string& body, const pb::Descriptor& type) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 100;
  const auto value = json::parse(body, error, {}, options);
  if (error) return {};
  Faults faults;
  faults.check_message(value, type, "");
  return std::move(faults.found);
}

}  // namespace orchion::control::serving
