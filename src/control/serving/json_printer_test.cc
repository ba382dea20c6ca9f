#include "control/serving/json_printer.h"

#include <gtest/gtest.h>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>
#include <boost/json.hpp>

#include "base/random.h"
#include "control/serving/redaction.h"
#include "v1/control.pb.h"
#include "v1/dispatcher.pb.h"
#include "v1/options.pb.h"
#include "v1/watch.pb.h"

namespace orchion::control::serving {
namespace {

namespace pb = google::protobuf;

std::string random_text(base::Random& random) {
  static const std::vector<std::string> kPieces = {"a", "Z9", "\"", "\\",  "\n", "\t", "\x01", "\x7f",
                                                   "é", "漢", "😀", "<b>", "/",  " ",  "&",    "'"};
  std::string text;
  for (auto i = random.below(6); i > 0; --i) text += kPieces[random.below(kPieces.size())];
  return text;
}

void fill(base::Random& random, pb::Message& message, int depth);

void fill_message(base::Random& random, pb::Message& message, int depth) {
  if (auto* time = dynamic_cast<pb::Timestamp*>(&message)) {
    time->set_seconds(static_cast<std::int64_t>(random.below(4'000'000'000)) - 1'000'000'000);
    static const std::int32_t kNanos[] = {0, 500'000'000, 123'456'000, 1};
    time->set_nanos(kNanos[random.below(4)]);
  } else if (auto* duration = dynamic_cast<pb::Duration*>(&message)) {
    const int sign = random.below(2) == 0 ? 1 : -1;
    duration->set_seconds(sign * static_cast<std::int64_t>(random.below(1'000)));
    duration->set_nanos(sign * static_cast<std::int32_t>(random.below(1'000'000'000)));
  } else {
    fill(random, message, depth + 1);
  }
}

void set(base::Random& random, pb::Message& message, const pb::FieldDescriptor* field, int depth) {
  const auto& reflection = *message.GetReflection();
  const bool many = field->is_repeated();
  using Type = pb::FieldDescriptor::CppType;
#define ORCHION_SET(Kind, value) \
  many ? reflection.Add##Kind(&message, field, value) : reflection.Set##Kind(&message, field, value)
  switch (field->cpp_type()) {
    case Type::CPPTYPE_INT32: ORCHION_SET(Int32, static_cast<std::int32_t>(random.next())); break;
    case Type::CPPTYPE_INT64: ORCHION_SET(Int64, static_cast<std::int64_t>(random.next())); break;
    case Type::CPPTYPE_UINT32: ORCHION_SET(UInt32, static_cast<std::uint32_t>(random.next())); break;
    case Type::CPPTYPE_UINT64: ORCHION_SET(UInt64, random.next()); break;
    case Type::CPPTYPE_DOUBLE:
      ORCHION_SET(Double, static_cast<double>(random.below(1u << 30)) / 64);
      break;  // Boost rounds others
    case Type::CPPTYPE_FLOAT: ORCHION_SET(Float, static_cast<float>(random.unit())); break;
    case Type::CPPTYPE_BOOL: ORCHION_SET(Bool, random.below(2) == 0); break;
    case Type::CPPTYPE_ENUM: ORCHION_SET(EnumValue, static_cast<int>(random.below(5))); break;
    case Type::CPPTYPE_STRING: ORCHION_SET(String, random_text(random)); break;
    case Type::CPPTYPE_MESSAGE:
      fill_message(random, many ? *reflection.AddMessage(&message, field) : *reflection.MutableMessage(&message, field),
                   depth);
  }
#undef ORCHION_SET
}

// Secrets are left out: protobuf's printer knows nothing of them.
void fill(base::Random& random, pb::Message& message, int depth) {
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (field->options().GetExtension(v1::secret) || random.below(3) == 0) continue;
    if (depth > 5 && field->message_type() != nullptr) continue;
    const auto times = field->is_map() ? 1 : field->is_repeated() ? random.below(4) : 1;
    for (std::uint64_t n = 0; n < times; ++n) set(random, message, field, depth);
  }
}

boost::json::value by_protobuf(const pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  EXPECT_TRUE(pb::util::MessageToJsonString(message, &text, options).ok());
  return boost::json::parse(text);
}

void compare(const pb::Message& message, JsonPrinter& printer) {
  const auto ours = printer.print(message);
  EXPECT_EQ(boost::json::parse(ours), by_protobuf(message)) << message.GetTypeName() << "\n" << ours;
}

void compare_all_of(const pb::FileDescriptor* file, JsonPrinter& printer, base::Random& random) {
  for (int i = 0; i < file->message_type_count(); ++i) {
    const auto* prototype = pb::MessageFactory::generated_factory()->GetPrototype(file->message_type(i));
    for (int n = 0; n < 40; ++n) {
      const std::unique_ptr<pb::Message> message(prototype->New());
      if (n > 0) fill(random, *message, 0);
      compare(*message, printer);
    }
  }
}

TEST(JsonPrinter, SaysWhatProtobufSaysOfEveryMessageOfTheContract) {
  JsonPrinter printer;
  base::Random random(7);
  for (const auto* file : {v1::Stack::descriptor()->file(), v1::StackSpec::descriptor()->file(),
                           v1::ListStacksRequest::descriptor()->file(), v1::WatchEvent::descriptor()->file(),
                           v1::Hello::descriptor()->file()}) {
    ASSERT_NE(file, nullptr);
    compare_all_of(file, printer, random);
  }
}

TEST(JsonPrinter, ExtremesOfTime) {
  JsonPrinter printer;
  for (const std::int64_t seconds : {-62135596800LL, -1LL, 0LL, 951782400LL, 253402300799LL}) {
    v1::LogLine line;
    line.mutable_time()->set_seconds(seconds);
    line.mutable_time()->set_nanos(999'999'999);
    compare(line, printer);
  }
}

TEST(JsonPrinter, ForeignMessagesAreLeftToProtobuf) {
  std::string out;
  pb::Struct object;
  (*object.mutable_fields())["a"].set_number_value(1);
  JsonPrinter printer;
  // Nothing of the contract holds one; the rule is on the field.
  const auto* api = pb::DescriptorPool::generated_pool()->FindMessageTypeByName("google.protobuf.Value");
  ASSERT_NE(api, nullptr);
  pb::Value value;
  *value.mutable_struct_value() = object;
  printer.append(value, out);
  EXPECT_EQ(out, "{\"structValue\":{\"a\":1}}");
}

v1::Service service_with_secret() {
  v1::Service service;
  auto* variable = service.mutable_spec()->mutable_container()->add_environment();
  variable->set_name("PASSWORD");
  variable->set_value("hunter2");
  service.mutable_spec()->mutable_container()->add_environment()->set_name("EMPTY");
  return service;
}

TEST(JsonPrinter, SecretsAreRedacted) {
  JsonPrinter printer;
  const auto text = printer.print(service_with_secret());
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_NE(text.find(R"({"name":"PASSWORD","value":"<redacted>"})"), std::string::npos);
  EXPECT_NE(text.find(R"({"name":"EMPTY","value":""})"), std::string::npos);
}

TEST(Redact, HidesWhatThePrinterHides) {
  auto service = service_with_secret();
  redact(service);
  EXPECT_EQ(service.spec().container().environment(0).value(), "<redacted>");
  EXPECT_EQ(service.spec().container().environment(1).value(), "");
  EXPECT_EQ(service.spec().container().environment(0).name(), "PASSWORD");
}

TEST(JsonString, IsEscaped) {
  std::string out;
  append_json_string(std::string("a\"\\\n\0é", 7), out);
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0000é\"");
}

}  // namespace
}  // namespace orchion::control::serving
