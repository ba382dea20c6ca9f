// The comparison of two messages by reflection.

#include <algorithm>
#include <map>

#include <fmt/core.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include "core/difference.h"
#include "v1/options.pb.h"

namespace orchion::core {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr const char* kSecret = "<changed>";

std::string json_of(const Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return "{…}";
  return text;
}

std::string words(const v1::StringList& list) {
  std::string out;
  for (const auto& word : list.values()) out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", word);
  return "[" + out + "]";
}

std::string port_text(const v1::PortMapping& port) {
  std::string host = port.host_ip().empty() ? "" : port.host_ip() + ":";
  if (port.host_port() != 0) host += fmt::format("{}:", port.host_port());
  return fmt::format("{}{}/{}{}", host, port.container_port(), port.protocol(), port.host_only() ? " (host)" : "");
}

// By what an element of a list is known: its name where it has one, else its place, from 1 on.
std::string key_of(const Message& element, int index) {
  if (const auto* variable = dynamic_cast<const v1::EnvironmentVariable*>(&element)) return variable->name();
  if (const auto* mount = dynamic_cast<const v1::Mount*>(&element)) return mount->target();
  if (const auto* attachment = dynamic_cast<const v1::NetworkAttachment*>(&element)) return attachment->network();
  if (const auto* dependency = dynamic_cast<const v1::Dependency*>(&element)) return dependency->service();
  if (const auto* port = dynamic_cast<const v1::PortMapping*>(&element)) return port_text(*port);
  if (const auto* file = dynamic_cast<const v1::FileMount*>(&element)) return file->target();
  if (const auto* device = dynamic_cast<const v1::Device*>(&element)) return device->target();
  if (const auto* limit = dynamic_cast<const v1::Ulimit*>(&element)) return limit->name();
  if (const auto* rate = dynamic_cast<const v1::BlockDeviceRate*>(&element)) return rate->path();
  if (const auto* binding = dynamic_cast<const v1::ModelBinding*>(&element)) return binding->model();
  return std::to_string(index + 1);
}

// A whole message where its fields apart would say less than it does. Nothing here may show a secret.
std::string whole(const Message& message) {
  if (const auto* list = dynamic_cast<const v1::StringList*>(&message)) return words(*list);
  if (const auto* port = dynamic_cast<const v1::PortMapping*>(&message)) return port_text(*port);
  if (dynamic_cast<const v1::EnvironmentVariable*>(&message) != nullptr) return kSecret;
  if (dynamic_cast<const v1::FileMount*>(&message) != nullptr) return kSecret;
  const std::string text = json_of(message);
  // "10s" for a duration, without its quotes.
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

std::string scalar(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  if (field.has_presence() && !reflection.HasField(message, &field)) return {};
  if (field.options().GetExtension(v1::secret)) return kSecret;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return fmt::format("{}", reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return fmt::format("{}", reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32: return fmt::format("{}", reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64: return fmt::format("{}", reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM: return reflection.GetEnum(message, &field)->name();
    case FieldDescriptor::CPPTYPE_STRING: return reflection.GetString(message, &field);
    default: return {};
  }
}

class Comparison {
 public:
  std::vector<v1::FieldChange> changes;

  void compare(const Message& before, const Message& after, const std::string& path) {
    const auto& descriptor = *before.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const auto& field = *descriptor.field(i);
      const std::string here = path.empty() ? field.json_name() : path + "." + field.json_name();
      if (field.is_map()) {
        compare_maps(before, after, field, here);
      } else if (field.is_repeated()) {
        compare_lists(before, after, field, here);
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        compare_members(before, after, field, here);
      } else {
        compare_scalars(before, after, field, here);
      }
    }
  }

 private:
  void add(const std::string& path, const std::string& before, const std::string& after) {
    v1::FieldChange change;
    change.set_path(path);
    change.set_before(before);
    change.set_after(after);
    changes.push_back(std::move(change));
  }

  // Two secrets read the same when written down, so the values themselves are compared.
  void compare_scalars(const Message& before, const Message& after, const FieldDescriptor& field,
                       const std::string& path) {
    const auto& reflection = *before.GetReflection();
    const bool secret = field.options().GetExtension(v1::secret);
    if (secret ? reflection.GetString(before, &field) != reflection.GetString(after, &field)
               : scalar(before, field) != scalar(after, field))
      add(path, scalar(before, field), scalar(after, field));
  }

  void compare_members(const Message& before, const Message& after, const FieldDescriptor& field,
                       const std::string& path) {
    const auto& reflection = *before.GetReflection();
    const Message& a = reflection.GetMessage(before, &field);
    const Message& b = reflection.GetMessage(after, &field);
    const bool in_one_piece =
        a.GetDescriptor()->file()->package() != "orchion.v1" || a.GetDescriptor() == v1::StringList::descriptor();
    if (!in_one_piece) return compare(a, b, path);
    const std::string before_text = reflection.HasField(before, &field) ? whole(a) : "";
    const std::string after_text = reflection.HasField(after, &field) ? whole(b) : "";
    if (before_text != after_text) add(path, before_text, after_text);
  }

  static std::map<std::string, std::string> map_of(const Message& message, const FieldDescriptor& field) {
    std::map<std::string, std::string> entries;
    const auto& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      const auto& type = *entry.GetDescriptor();
      entries[scalar(entry, *type.map_key())] = scalar(entry, *type.map_value());
    }
    return entries;
  }

  void compare_maps(const Message& before, const Message& after, const FieldDescriptor& field,
                    const std::string& path) {
    const auto a = map_of(before, field), b = map_of(after, field);
    for (const auto& [key, value] : a) {
      const auto other = b.find(key);
      if (other == b.end() || other->second != value)
        add(fmt::format("{}[{}]", path, key), value, other == b.end() ? "" : other->second);
    }
    for (const auto& [key, value] : b)
      if (!a.contains(key)) add(fmt::format("{}[{}]", path, key), "", value);
  }

  static std::vector<std::string> texts_of(const Message& message, const FieldDescriptor& field) {
    std::vector<std::string> texts;
    const auto& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
      texts.push_back(reflection.GetRepeatedString(message, &field, i));
    return texts;
  }

  static std::map<std::string, const Message*> elements_of(const Message& message, const FieldDescriptor& field) {
    std::map<std::string, const Message*> elements;
    const auto& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& element = reflection.GetRepeatedMessage(message, &field, i);
      elements[key_of(element, i)] = &element;
    }
    return elements;
  }

  void compare_lists(const Message& before, const Message& after, const FieldDescriptor& field,
                     const std::string& path) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const auto a = texts_of(before, field), b = texts_of(after, field);
      if (a != b) add(path, fmt::format("{}", join(a)), fmt::format("{}", join(b)));
      return;
    }
    const auto a = elements_of(before, field), b = elements_of(after, field);
    for (const auto& [key, element] : a) {
      const auto other = b.find(key);
      const std::string here = fmt::format("{}[{}]", path, key);
      if (other == b.end()) {
        add(here, whole(*element), "");
      } else {
        compare_elements(*element, *other->second, here);
      }
    }
    for (const auto& [key, element] : b)
      if (!a.contains(key)) add(fmt::format("{}[{}]", path, key), "", whole(*element));
  }

  void compare_elements(const Message& before, const Message& after, const std::string& path) {
    const auto* a = dynamic_cast<const v1::EnvironmentVariable*>(&before);
    if (a == nullptr) return compare(before, after, path);
    if (a->value() != static_cast<const v1::EnvironmentVariable&>(after).value()) add(path, kSecret, kSecret);
  }

  static std::string join(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += (out.empty() ? "" : ", ") + text;
    return out;
  }
};

}  // namespace

std::vector<v1::FieldChange> field_changes(const Message& before, const Message& after) {
  Comparison comparison;
  comparison.compare(before, after, "");
  return std::move(comparison.changes);
}

}  // namespace orchion::core
