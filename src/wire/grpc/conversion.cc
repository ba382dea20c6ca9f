#include "wire/grpc/conversion.h"

#include <mutex>
#include <vector>

#include <grpc/support/log.h>

#include "base/log.h"

namespace orchion::wire::grpc {

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
  return {static_cast<::grpc::StatusCode>(result.error().code), result.error().message};
}

base::Result<> to_result(const ::grpc::Status& status) {
  if (status.ok()) return {};
  return base::fail(static_cast<base::Code>(status.error_code()), status.error_message());
}

void quiet_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* entry) { base::log::debug("gRPC: {}", entry->message); });
  });
}

}  // namespace orchion::wire::grpc
