#include "control/serving/json_printer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/core.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>

#include "v1/options.pb.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
using CppType = pb::FieldDescriptor::CppType;

namespace {

enum class Shape { kScalar, kString, kBytes, kEnum, kMessage, kTimestamp, kDuration, kForeign };

constexpr std::string_view kRedacted = "\"<redacted>\"";
constexpr std::string_view kRedactedBytes = "\"PHJlZGFjdGVkPg==\"";  // the same: JSON has bytes as base64

Shape shape_of(const pb::FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case CppType::CPPTYPE_STRING:
      return field.type() == pb::FieldDescriptor::TYPE_BYTES ? Shape::kBytes : Shape::kString;
    case CppType::CPPTYPE_ENUM: return Shape::kEnum;
    case CppType::CPPTYPE_MESSAGE: break;
    default: return Shape::kScalar;
  }
  const auto* type = field.message_type();
  if (type == pb::Timestamp::descriptor()) return Shape::kTimestamp;
  if (type == pb::Duration::descriptor()) return Shape::kDuration;
  const bool foreign = type->file()->package() == "google.protobuf" && type->full_name() != "google.protobuf.Empty";
  return foreign ? Shape::kForeign : Shape::kMessage;
}

template <class T>
void append_number(T value, std::string& out) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  out.append(digits, end);
}

template <class T>
void append_quoted(T value, std::string& out) {
  out += '"';
  append_number(value, out);
  out += '"';
}

template <class T>
void append_floating(T value, std::string& out) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    out += fmt::format("{}", value);
  }
}

void append_base64(std::string_view bytes, std::string& out) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) : 0u;
  };
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  out += '"';
}

void append_enum(const pb::EnumDescriptor& type, int number, std::string& out) {
  if (const auto* value = type.FindValueByNumber(number)) {
    out += '"';
    out += value->name();
    out += '"';
  } else {
    append_number(number, out);
  }
}

void append_duration(const pb::Duration& duration, std::string& out) {
  out += '"';
  if (duration.seconds() < 0 || duration.nanos() < 0) out += '-';
  append_number(std::abs(duration.seconds()), out);
  append_fraction(std::abs(duration.nanos()), out);
  out += "s\"";
}

// Any, Struct and their kin are rare: protobuf's own printer does them.
void append_foreign(const pb::Message& message, std::string& out) {
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  if (pb::util::MessageToJsonString(message, &text, options).ok()) out += text;
}

// A value of `field`: `get` is one of the two families of getters of pb::Reflection, bound to where the value stands.
template <class Get>
void append_scalar(const pb::FieldDescriptor& field, const Get& get, std::string& out) {
  switch (field.cpp_type()) {
    case CppType::CPPTYPE_INT32: return append_number(get.int32(), out);
    case CppType::CPPTYPE_UINT32: return append_number(get.uint32(), out);
    case CppType::CPPTYPE_INT64: return append_quoted(get.int64(), out);
    case CppType::CPPTYPE_UINT64: return append_quoted(get.uint64(), out);
    case CppType::CPPTYPE_DOUBLE: return append_floating(get.float64(), out);
    case CppType::CPPTYPE_FLOAT: return append_floating(get.float32(), out);
    case CppType::CPPTYPE_BOOL: out += get.boolean() ? "true" : "false"; return;
    default: return;
  }
}

struct Single {
  const pb::Message& message;
  const pb::Reflection& reflection;
  const pb::FieldDescriptor* field;
  std::int32_t int32() const { return reflection.GetInt32(message, field); }
  std::uint32_t uint32() const { return reflection.GetUInt32(message, field); }
  std::int64_t int64() const { return reflection.GetInt64(message, field); }
  std::uint64_t uint64() const { return reflection.GetUInt64(message, field); }
  double float64() const { return reflection.GetDouble(message, field); }
  float float32() const { return reflection.GetFloat(message, field); }
  bool boolean() const { return reflection.GetBool(message, field); }
  int enumeration() const { return reflection.GetEnumValue(message, field); }
  const std::string& text(std::string* scratch) const { return reflection.GetStringReference(message, field, scratch); }
  const pb::Message& sub() const { return reflection.GetMessage(message, field); }
};

struct Element {
  const pb::Message& message;
  const pb::Reflection& reflection;
  const pb::FieldDescriptor* field;
  int index;
  std::int32_t int32() const { return reflection.GetRepeatedInt32(message, field, index); }
  std::uint32_t uint32() const { return reflection.GetRepeatedUInt32(message, field, index); }
  std::int64_t int64() const { return reflection.GetRepeatedInt64(message, field, index); }
  std::uint64_t uint64() const { return reflection.GetRepeatedUInt64(message, field, index); }
  double float64() const { return reflection.GetRepeatedDouble(message, field, index); }
  float float32() const { return reflection.GetRepeatedFloat(message, field, index); }
  bool boolean() const { return reflection.GetRepeatedBool(message, field, index); }
  int enumeration() const { return reflection.GetRepeatedEnumValue(message, field, index); }
  const std::string& text(std::string* scratch) const {
    return reflection.GetRepeatedStringReference(message, field, index, scratch);
  }
  const pb::Message& sub() const { return reflection.GetRepeatedMessage(message, field, index); }
};

}  // namespace

struct JsonPrinter::FieldPlan {
  const pb::FieldDescriptor* field;
  std::string key;  // "\"pageSize\":"
  Shape shape;
  bool has_presence;
  bool secret;
  const Plan* child = nullptr;       // of a message
  std::vector<FieldPlan> map_entry;  // key and value, where it is a map

  template <class Get>
  void append_value(JsonPrinter& printer, const Get& get, std::string& out) const {
    std::string scratch;
    switch (shape) {
      case Shape::kScalar: return append_scalar(*field, get, out);
      case Shape::kString: return append_json_string(get.text(&scratch), out);
      case Shape::kBytes: return append_base64(get.text(&scratch), out);
      case Shape::kEnum: return append_enum(*field->enum_type(), get.enumeration(), out);
      default: return printer.append_message(get.sub(), *this, out);
    }
  }
};

struct JsonPrinter::Plan {
  std::vector<FieldPlan> fields;
};

JsonPrinter::JsonPrinter() = default;
JsonPrinter::~JsonPrinter() = default;

const JsonPrinter::Plan& JsonPrinter::plan_of(const pb::Descriptor* type) {
  auto& slot = plans_[type];
  if (slot) return *slot;
  slot = std::make_unique<Plan>();
  Plan& plan = *slot;  // its address stays when the table grows, also for types that hold themselves
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    FieldPlan made{field, "\"" + field->json_name() + "\":", shape_of(*field), field->has_presence(),
                   field->options().GetExtension(v1::secret)};
    if (field->is_map()) {
      made.map_entry = plan_of(field->message_type()).fields;
      made.map_entry[1].secret = made.secret;
    } else if (made.shape == Shape::kMessage) {
      made.child = &plan_of(field->message_type());
    }
    plan.fields.push_back(std::move(made));
  }
  return plan;
}

std::string JsonPrinter::print(const pb::Message& message) {
  std::string out;
  append(message, out);
  return out;
}

void JsonPrinter::append(const pb::Message& message, std::string& out) {
  append_planned(message, plan_of(message.GetDescriptor()), out);
}

void JsonPrinter::append_planned(const pb::Message& message, const Plan& plan, std::string& out) {
  const auto& reflection = *message.GetReflection();
  char separator = '{';
  for (const auto& field : plan.fields) {
    if (field.has_presence && !reflection.HasField(message, field.field)) continue;
    out += separator;
    separator = ',';
    out += field.key;
    append_field(message, field, out);
  }
  if (separator == '{') out += '{';
  out += '}';
}

void JsonPrinter::append_field(const pb::Message& message, const FieldPlan& field, std::string& out) {
  if (!field.map_entry.empty()) return append_map(message, field, out);
  if (field.field->is_repeated()) return append_repeated(message, field, out);
  const Single value{message, *message.GetReflection(), field.field};
  if (!field.secret) return field.append_value(*this, value, out);
  std::string scratch;
  const bool is_text = field.shape == Shape::kString || field.shape == Shape::kBytes;
  const auto redacted = field.shape == Shape::kBytes ? kRedactedBytes : kRedacted;
  out += is_text && value.text(&scratch).empty() ? std::string_view("\"\"") : redacted;
}

void JsonPrinter::append_repeated(const pb::Message& message, const FieldPlan& field, std::string& out) {
  const auto& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, field.field);
  out += '[';
  for (int i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    if (field.secret) {
      out += kRedacted;
    } else {
      field.append_value(*this, Element{message, reflection, field.field, i}, out);
    }
  }
  out += ']';
}

// In the order of the keys, so that the same message gives the same bytes.
void JsonPrinter::append_map(const pb::Message& message, const FieldPlan& field, std::string& out) {
  const auto& reflection = *message.GetReflection();
  const auto& key = field.map_entry[0];
  const auto& value = field.map_entry[1];
  std::vector<std::pair<std::string, const pb::Message*>> entries;
  for (int i = 0, size = reflection.FieldSize(message, field.field); i < size; ++i) {
    const auto& entry = reflection.GetRepeatedMessage(message, field.field, i);
    std::string text;
    key.append_value(*this, Single{entry, *entry.GetReflection(), key.field}, text);
    if (text.front() != '"') text = "\"" + text + "\"";
    entries.emplace_back(std::move(text), &entry);
  }
  std::ranges::sort(entries);
  char separator = '{';
  for (const auto& [text, entry] : entries) {
    out += separator;
    separator = ',';
    out += text;
    out += ':';
    if (value.secret) {
      out += kRedacted;
    } else {
      value.append_value(*this, Single{*entry, *entry->GetReflection(), value.field}, out);
    }
  }
  if (separator == '{') out += '{';
  out += '}';
}

void JsonPrinter::append_message(const pb::Message& message, const FieldPlan& field, std::string& out) {
  switch (field.shape) {
    case Shape::kTimestamp: {
      const auto& time = static_cast<const pb::Timestamp&>(message);
      out += '"';
      append_timestamp(time.seconds(), time.nanos(), out);
      out += '"';
      return;
    }
    case Shape::kDuration: return append_duration(static_cast<const pb::Duration&>(message), out);
    case Shape::kForeign: return append_foreign(message, out);
    default: return append_planned(message, *field.child, out);
  }
}

}  // namespace orchion::control::serving
