#pragma once

// Messages as JSON, fast enough for long lists.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <google/protobuf/message.h>

namespace orchion::control::serving {

// Proto3's JSON mapping as protobuf's own printer has it with "always print primitive fields"
// (https://protobuf.dev/programming-guides/json/), except that fields marked secret are printed as "<redacted>"
// unless they are empty. Remembers what it learnt of each message type; one thread.
class JsonPrinter {
 public:
  JsonPrinter();
  ~JsonPrinter();
  JsonPrinter(const JsonPrinter&) = delete;
  JsonPrinter& operator=(const JsonPrinter&) = delete;

  void append(const google::protobuf::Message& message, std::string& out);
  std::string print(const google::protobuf::Message& message);

 private:
  struct Plan;
  struct FieldPlan;
  const Plan& plan_of(const google::protobuf::Descriptor* type);
  void append_planned(const google::protobuf::Message& message, const Plan& plan, std::string& out);
  void append_field(const google::protobuf::Message& message, const FieldPlan& field, std::string& out);
  void append_repeated(const google::protobuf::Message& message, const FieldPlan& field, std::string& out);
  void append_map(const google::protobuf::Message& message, const FieldPlan& field, std::string& out);
  void append_message(const google::protobuf::Message& message, const FieldPlan& field, std::string& out);

  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<Plan>> plans_;
};

// "text" with its quotes.
void append_json_string(std::string_view text, std::string& out);

// "2026-01-02T03:04:05.678Z" without quotes; 0, 3, 6 or 9 decimals.
void append_timestamp(std::int64_t seconds, std::int32_t nanos, std::string& out);

// ".5" as ".500": nothing, 3, 6 or 9 decimals.
void append_fraction(std::int32_t nanos, std::string& out);

}  // namespace orchion::control::serving
