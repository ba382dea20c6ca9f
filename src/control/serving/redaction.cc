#include "control/serving/redaction.h"

#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "v1/options.pb.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;

namespace {

bool is_secret(const pb::FieldDescriptor& field) {
  return field.options().GetExtension(v1::secret);
}

bool finds_secret(const pb::Descriptor* type, std::set<const pb::Descriptor*>& seen) {
  if (!seen.insert(type).second) return false;
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (is_secret(*field)) return true;
    if (field->message_type() != nullptr && finds_secret(field->message_type(), seen)) return true;
  }
  return false;
}

bool holds_secret(const pb::Descriptor* type) {
  static std::mutex mutex;
  static std::unordered_map<const pb::Descriptor*, bool> known;
  const std::lock_guard lock(mutex);
  const auto it = known.find(type);
  if (it != known.end()) return it->second;
  std::set<const pb::Descriptor*> seen;
  return known.emplace(type, finds_secret(type, seen)).first->second;
}

void hide(pb::Message& message, const pb::FieldDescriptor* field) {
  const auto& reflection = *message.GetReflection();
  if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_STRING) return reflection.ClearField(&message, field);
  if (!field->is_repeated()) {
    std::string scratch;
    if (reflection.GetStringReference(message, field, &scratch).empty()) return;
    return reflection.SetString(&message, field, "<redacted>");
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    reflection.SetRepeatedString(&message, field, i, "<redacted>");
  }
}

}  // namespace

void redact(pb::Message& message) {
  if (!holds_secret(message.GetDescriptor())) return;
  const auto& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (is_secret(*field)) {
      hide(message, field);
    } else if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    } else if (field->is_repeated()) {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        redact(*reflection.MutableRepeatedMessage(&message, field, i));
      }
    } else {
      redact(*reflection.MutableMessage(&message, field));
    }
  }
}

}  // namespace orchion::control::serving
