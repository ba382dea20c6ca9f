#include "core/fingerprint.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/core.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace orchion::core {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string canonical(const Message& message);

// Length before content, so that no value can look like two.
std::string framed(const std::string& text) {
  return fmt::format("{}:{}", text.size(), text);
}

std::string singular(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return fmt::format("{}", reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return fmt::format("{}", reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32: return fmt::format("{}", reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64: return fmt::format("{}", reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.GetBool(message, &field) ? "1" : "0";
    case FieldDescriptor::CPPTYPE_ENUM: return fmt::format("{}", reflection.GetEnumValue(message, &field));
    case FieldDescriptor::CPPTYPE_STRING: return reflection.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE: return canonical(reflection.GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE: return fmt::format("{}", reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT: return fmt::format("{}", reflection.GetFloat(message, &field));
  }
  return {};
}

std::string element(const Message& message, const FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  // The contract has lists of texts and of messages only.
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) return reflection.GetRepeatedString(message, &field, index);
  return canonical(reflection.GetRepeatedMessage(message, &field, index));
}

// Lists of words in their order are a command line; all others are sets.
bool order_counts(const FieldDescriptor& field) {
  return field.containing_type() == v1::StringList::descriptor() ||
         field.containing_type() == v1::Recovery::descriptor();
}

// A message that is there with nothing in it says no more than an absent one; but an empty list of words does.
bool says_nothing(const FieldDescriptor& field, const std::string& text) {
  return text.empty() && field.message_type() != nullptr && field.message_type() != v1::StringList::descriptor();
}

std::string canonical(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);  // those that are set, by number
  std::string out;
  for (const auto* field : fields) {
    std::vector<std::string> parts;
    if (field->is_repeated()) {
      const int count = message.GetReflection()->FieldSize(message, field);
      for (int i = 0; i < count; ++i) parts.push_back(framed(element(message, *field, i)));
      if (!order_counts(*field)) std::sort(parts.begin(), parts.end());
    } else {
      const std::string text = singular(message, *field);
      if (says_nothing(*field, text)) continue;
      parts.push_back(framed(text));
    }
    out += fmt::format("{}={}", field->number(), parts.size());
    for (const auto& part : parts) out += part;
  }
  return out;
}

}  // namespace

std::string fingerprint(const v1::ServiceSpec& spec) {
  v1::ServiceSpec counted;
  *counted.mutable_container() = spec.container();
  *counted.mutable_restart() = spec.restart();
  *counted.mutable_recovery() = spec.recovery();
  *counted.mutable_constraints() = spec.constraints();
  counted.set_restarts(spec.restarts());
  return fnv1a_128(canonical(counted));
}

std::string fnv1a_128(std::string_view text) {
  __extension__ using Wide = unsigned __int128;
  const Wide prime = (Wide{1} << 88) + 0x13b;
  Wide hash = (Wide{0x6c62272e07bb0142u} << 64) + 0x62b821756295c58du;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(hash >> 64), static_cast<std::uint64_t>(hash));
}

}  // namespace orchion::core
