#include "wire/grpc/conversion.h"

#include <mutex>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <grpc/support/log.h>

#include "base/log.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace orchion::wire::grpc {

namespace {

// They travel as a header, in base64; clients refuse the whole answer where all headers are above 8 KiB.
constexpr std::size_t kDetailBytesMax = 4000;

}  // namespace

std::string to_string(const ::grpc::ByteBuffer& buffer) {
  std::vector<::grpc::Slice> slices;
  std::string out;
  out.reserve(buffer.Length());
  if (!buffer.Dump(&slices).ok()) return out;
  for (const auto& slice : slices) out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return out;
}

::grpc::ByteBuffer to_buffer(const std::string& bytes) {
  const ::grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

::grpc::Status to_status(const base::Result<>& result) {
  if (result) return ::grpc::Status::OK;
  const auto& error = result.error();
  const auto code = static_cast<::grpc::StatusCode>(error.code);
  // Whoever asks tells by the details a handler's own kUnavailable from a connection's.
  if (error.fields.empty() && error.code != base::Code::kUnavailable) return {code, error.message};
  google::rpc::BadRequest wrong;
  for (const auto& field : error.fields) {
    if (wrong.ByteSizeLong() + field.pointer.size() + field.detail.size() > kDetailBytesMax) break;
    auto& violation = *wrong.add_field_violations();
    violation.set_field(field.pointer);
    violation.set_description(field.detail);
  }
  google::rpc::Status status;
  status.set_code(static_cast<int>(error.code));
  status.set_message(error.message);
  if (!error.fields.empty()) status.add_details()->PackFrom(wrong);
  return {code, error.message, status.SerializeAsString()};
}

base::Result<> to_result(const ::grpc::Status& status) {
  if (status.ok()) return {};
  base::Error error{static_cast<base::Code>(status.error_code()), status.error_message(), {}};
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::unexpected(std::move(error));
  for (const auto& detail : details.details()) {
    google::rpc::BadRequest wrong;
    if (!detail.Is<google::rpc::BadRequest>() || !detail.UnpackTo(&wrong)) continue;
    for (const auto& violation : wrong.field_violations())
      error.fields.push_back({violation.field(), violation.description()});
  }
  return std::unexpected(std::move(error));
}

void quiet_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* entry) { base::log::debug("gRPC: {}", entry->message); });
    // Debian builds abseil with assertions: every lock of gRPC's would look for deadlocks, under one lock for all.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  });
}

}  // namespace orchion::wire::grpc
