#include "control/serving/operation_headers.h"

#include "v1/options.pb.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
using base::Code;

bool heeds_if_match(const pb::MethodDescriptor& method) {
  return method.options().GetExtension(v1::heeds_if_match);
}

bool heeds_idempotency_key(const pb::MethodDescriptor& method) {
  return method.options().GetExtension(v1::heeds_idempotency_key);
}

base::Result<> check_headers(const pb::MethodDescriptor& method, SentHeaders sent) {
  const auto& verb = method.options().GetExtension(v1::rest).verb();
  if (verb.empty() || verb == "GET") return {};
  if (sent.if_match && !heeds_if_match(method)) {
    return base::fail(Code::kInvalidArgument,
                      method.name() + " does not heed If-Match, so nothing was done: send it without");
  }
  if (sent.idempotency_key && verb == "POST" && !heeds_idempotency_key(method)) {
    return base::fail(Code::kInvalidArgument,
                      method.name() + " does not remember an Idempotency-Key, so nothing was done: send it without");
  }
  return {};
}

bool resumes(const Route& route) {
  return route.kind == RouteKind::kEvents &&
         route.method->descriptor->input_type()->FindFieldByName("since") != nullptr;
}

bool answers_etag(const Route& route) {
  const auto* meta = route.method->descriptor->output_type()->FindFieldByName("meta");
  const bool one = route.kind == RouteKind::kUnary || route.kind == RouteKind::kUpload;
  return one && meta != nullptr && !meta->is_repeated() && meta->message_type() != nullptr &&
         meta->message_type()->FindFieldByName("revision") != nullptr;
}

}  // namespace orchion::control::serving
