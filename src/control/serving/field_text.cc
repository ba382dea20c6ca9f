#include "control/serving/field_text.h"

#include <charconv>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

namespace orchion::control::serving {

namespace pb = google::protobuf;
using base::Code;
using pb::util::TimeUtil;

namespace {

std::unexpected<base::Error> unfit(const std::string& wanted) {
  return base::fail(Code::kInvalidArgument, wanted);
}

template <class T>
base::Result<T> number(const std::string& text, const char* wanted) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return unfit(wanted);
  return value;
}

base::Result<bool> boolean(const std::string& text) {
  if (text == "true" || text == "1" || text.empty()) return true;
  if (text == "false" || text == "0") return false;
  return unfit("true or false is wanted");
}

base::Result<int> enumeration(const pb::EnumDescriptor& type, const std::string& text) {
  if (const auto* value = type.FindValueByName(text)) return value->number();
  if (const auto value = number<int>(text, ""); value && type.FindValueByNumber(*value) != nullptr) return *value;
  std::string names;
  for (int i = 0; i < type.value_count(); ++i) names += (i == 0 ? "" : ", ") + type.value(i)->name();
  return unfit("one of " + names + " is wanted");
}

// RFC 3629: no surrogates, no overlong forms.
bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t n) { return static_cast<unsigned char>(i + n < text.size() ? text[i + n] : 0); };
    const auto follows = [&](std::size_t n) { return (at(n) & 0xC0) == 0x80; };
    const unsigned char c = at(0);
    if (c < 0x80) {
      i += 1;
    } else if (c >= 0xC2 && c < 0xE0 && follows(1)) {
      i += 2;
    } else if (c >= 0xE0 && c < 0xF0 && follows(1) && follows(2) && !(c == 0xE0 && at(1) < 0xA0) &&
               !(c == 0xED && at(1) >= 0xA0)) {
      i += 3;
    } else if (c >= 0xF0 && c < 0xF5 && follows(1) && follows(2) && follows(3) && !(c == 0xF0 && at(1) < 0x90) &&
               !(c == 0xF4 && at(1) >= 0x90)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

base::Result<> set_message(pb::Message& value, const std::string& text) {
  if (auto* time = dynamic_cast<pb::Timestamp*>(&value)) {
    if (TimeUtil::FromString(text, time)) return {};
    return unfit("a time as in 2026-01-02T15:04:05Z is wanted");
  }
  if (auto* duration = dynamic_cast<pb::Duration*>(&value)) {
    if (TimeUtil::FromString(text, duration)) return {};
    return unfit("a duration as in 1.5s is wanted");
  }
  return unfit("this cannot stand in a URL: send it in the body");
}

}  // namespace

base::Result<> set_from_text(pb::Message& message, const pb::FieldDescriptor& field, const std::string& text) {
  const auto& reflection = *message.GetReflection();
  const bool many = field.is_repeated();
  using Type = pb::FieldDescriptor::CppType;
#define ORCHION_SET(Kind, expression)                                                                     \
  {                                                                                                       \
    ASSIGN_OR_RETURN(const auto value, expression);                                                       \
    many ? reflection.Add##Kind(&message, &field, value) : reflection.Set##Kind(&message, &field, value); \
    return {};                                                                                            \
  }
  switch (field.cpp_type()) {
    case Type::CPPTYPE_INT32: ORCHION_SET(Int32, number<std::int32_t>(text, "a whole number is wanted"))
    case Type::CPPTYPE_INT64: ORCHION_SET(Int64, number<std::int64_t>(text, "a whole number is wanted"))
    case Type::CPPTYPE_UINT32: ORCHION_SET(UInt32, number<std::uint32_t>(text, "a whole number from 0 is wanted"))
    case Type::CPPTYPE_UINT64: ORCHION_SET(UInt64, number<std::uint64_t>(text, "a whole number from 0 is wanted"))
    case Type::CPPTYPE_DOUBLE: ORCHION_SET(Double, number<double>(text, "a number is wanted"))
    case Type::CPPTYPE_FLOAT: ORCHION_SET(Float, number<float>(text, "a number is wanted"))
    case Type::CPPTYPE_BOOL: ORCHION_SET(Bool, boolean(text))
    case Type::CPPTYPE_ENUM: ORCHION_SET(EnumValue, enumeration(*field.enum_type(), text))
    case Type::CPPTYPE_STRING: break;
    case Type::CPPTYPE_MESSAGE:
      if (field.is_map()) return unfit("this cannot stand in a URL: send it in the body");
      return set_message(many ? *reflection.AddMessage(&message, &field) : *reflection.MutableMessage(&message, &field),
                         text);
  }
#undef ORCHION_SET
  if (field.type() == pb::FieldDescriptor::TYPE_BYTES) return unfit("bytes cannot stand in a URL");
  if (!is_utf8(text)) return unfit("text in UTF-8 is wanted");
  many ? reflection.AddString(&message, &field, text) : reflection.SetString(&message, &field, text);
  return {};
}

}  // namespace orchion::control::serving
