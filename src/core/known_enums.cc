#include "core/known_enums.h"

#include <string>
#include <vector>

#include <fmt/core.h>
#include <google/protobuf/descriptor.h>

namespace orchion::core {

namespace pb = google::protobuf;
using CppType = pb::FieldDescriptor::CppType;

namespace {

class EnumCheck {
 public:
  std::vector<base::FieldViolation> found;

  void check(const pb::Message& message, const std::string& at) {
    const auto& reflection = *message.GetReflection();
    std::vector<const pb::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const auto* field : fields) {
      const auto pointer = at + "/" + field->json_name();
      const bool is_enum = field->cpp_type() == CppType::CPPTYPE_ENUM;
      if (!is_enum && field->cpp_type() != CppType::CPPTYPE_MESSAGE) continue;
      if (!field->is_repeated()) {
        if (is_enum) check_number(reflection.GetEnumValue(message, field), *field, pointer);
        if (!is_enum) check(reflection.GetMessage(message, field), pointer);
        continue;
      }
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        const auto one = fmt::format("{}/{}", pointer, i);
        if (is_enum) check_number(reflection.GetRepeatedEnumValue(message, field, i), *field, one);
        if (!is_enum) check(reflection.GetRepeatedMessage(message, field, i), one);
      }
    }
  }

 private:
  void check_number(int number, const pb::FieldDescriptor& field, std::string pointer) {
    const auto& type = *field.enum_type();
    if (type.FindValueByNumber(number) != nullptr) return;
    std::string names;
    for (int i = 0; i < type.value_count(); ++i) names += (i == 0 ? "" : ", ") + type.value(i)->name();
    found.push_back({std::move(pointer), fmt::format("{} is none of {}", number, names)});
  }
};

}  // namespace

base::Result<> check_enums(const pb::Message& message) {
  EnumCheck enums;
  enums.check(message, "");
  if (enums.found.empty()) return {};
  base::Error error{
      base::Code::kInvalidArgument, fmt::format("{}: {}", enums.found[0].pointer, enums.found[0].detail), {}};
  error.fields = std::move(enums.found);
  return std::unexpected(std::move(error));
}

}  // namespace orchion::core
