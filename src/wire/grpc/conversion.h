#pragma once

// Between gRPC's types and ours. Private to this folder.

#include <string>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "base/error.h"

namespace orchion::wire::grpc {

std::string to_string(const ::grpc::ByteBuffer& buffer);
::grpc::ByteBuffer to_buffer(const std::string& bytes);

// With the wrong fields as the details "google.rpc.BadRequest".
::grpc::Status to_status(const base::Result<>& result);
base::Result<> to_result(const ::grpc::Status& status);

// gRPC writes on standard error what our own errors say; from the first call on it goes to our log, as debug.
void quiet_log();

}  // namespace orchion::wire::grpc
