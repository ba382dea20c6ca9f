#include "control/serving/grpc_front.h"

#include <algorithm>
#include <charconv>

#include "control/serving/admission.h"
#include "control/serving/operation_headers.h"
#include "control/serving/redaction.h"
#include "core/shared_message.h"

namespace orchion::control::serving {

using base::Code;
using core::MessagePtr;

namespace {

// Bytes of the wire as messages of one rpc.
class MessagesOfBytes final : public core::SharingStream {
 public:
  MessagesOfBytes(const core::Method& method, std::shared_ptr<wire::grpc::ByteStream> bytes, bool shows_secrets)
      : method_(method), bytes_(std::move(bytes)), shows_secrets_(shows_secrets) {}

  base::Co<std::optional<MessagePtr>> receive() override {
    CO_ASSIGN_OR_RETURN(const auto bytes, co_await bytes_->receive());
    if (!bytes) co_return std::optional<MessagePtr>();
    auto message = method_.new_request();
    if (!message->ParseFromString(*bytes)) {
      co_return base::fail(Code::kInvalidArgument, "the message is no " + message->GetTypeName() +
                                                       ": see whether both sides have the same api/ files");
    }
    co_return std::optional<MessagePtr>(std::move(message));
  }

  base::Co<> send(MessagePtr message) override {
    if (!shows_secrets_) redact(*message);
    return bytes_->send(message->SerializeAsString());
  }

  base::Co<> send_shared(std::vector<core::SharedMessagePtr> messages) override {
    for (const auto& message : messages) CO_RETURN_IF_ERROR(co_await bytes_->send(bytes_of(*message)));
    co_return base::Result<>{};
  }

  void finish() override { bytes_->finish(); }
  void finish(base::Error error) override { bytes_->finish(std::move(error)); }

 private:
  std::string bytes_of(const core::SharedMessage& shared) const {
    if (shows_secrets_) return shared.message().SerializeAsString();
    return shared.as(core::SharedMessage::Form::kBytes, [&shared](const auto&) {
      const auto shown = core::copy_of(shared);
      redact(*shown);
      return shown->SerializeAsString();
    });
  }

  const core::Method& method_;
  std::shared_ptr<wire::grpc::ByteStream> bytes_;
  const bool shows_secrets_;
};

std::optional<std::string> find(const wire::grpc::Call& call, const std::string& name) {
  const auto it = call.metadata.find(name);
  return it == call.metadata.end() ? std::nullopt : std::optional(it->second);
}

base::Result<core::CallContext> context_of(const wire::grpc::Call& call, const core::Method& method,
                                           std::string identity) {
  core::CallContext context{std::move(identity), std::nullopt, find(call, "idempotency-key")};
  const auto tag = find(call, "if-match");
  RETURN_IF_ERROR(check_headers(*method.descriptor, {tag.has_value(), context.idempotency_key.has_value()}));
  if (!tag) return context;
  std::uint64_t revision = 0;
  const auto [end, error] = std::from_chars(tag->data(), tag->data() + tag->size(), revision);
  if (error != std::errc() || end != tag->data() + tag->size()) {
    return base::fail(Code::kInvalidArgument, "the if-match metadata is no revision: send meta.revision as a number");
  }
  context.if_match = revision;
  return context;
}

// "/orchion.v1.StackService/GetStack" → "orchion.v1.StackService.GetStack".
std::string full_name(std::string path) {
  if (path.starts_with('/')) path.erase(0, 1);
  std::ranges::replace(path, '/', '.');
  return path;
}

}  // namespace

base::Co<> GrpcFront::handle(wire::grpc::Call call, std::shared_ptr<wire::grpc::ByteStream> stream) {
  const auto* method = methods_.find(full_name(call.method));
  if (method == nullptr) {
    co_return base::fail(Code::kUnimplemented, "this server has no " + call.method + ": see whether its version fits");
  }
  CO_ASSIGN_OR_RETURN(auto identity, callers_ == Callers::kNodes
                                         ? admit_certificate(authenticator_, *method->descriptor, call.peer_certificate)
                                         : admit(authenticator_, *method->descriptor, find(call, "authorization")));
  CO_ASSIGN_OR_RETURN(auto context, context_of(call, *method, std::move(identity)));
  if (callers_ == Callers::kNodes && authenticator_.speaks_for_callers(context.identity)) {
    context.identity = find(call, kCallerMetadata).value_or("");
    context.led_on = true;
  }
  const bool to_agent = core::permission_of(*method->descriptor) == "agent";
  auto messages = std::make_shared<MessagesOfBytes>(*method, std::move(stream), to_agent);
  co_return co_await method->call(std::move(context), std::move(messages));
}

}  // namespace orchion::control::serving
