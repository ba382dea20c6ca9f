#include "client/exec_session.h"

#include "client/rest_route.h"

namespace orchion::client {

base::Co<std::optional<v1::ExecOutput>> ExecSession::receive() {
  CO_ASSIGN_OR_RETURN(auto message, co_await socket_->receive());
  if (!message) co_return std::optional<v1::ExecOutput>();
  v1::ExecOutput output;
  CO_RETURN_IF_ERROR(from_json(message->data, output));
  co_return std::optional(std::move(output));
}

base::Co<> ExecSession::send(v1::ExecInput input) {
  CO_ASSIGN_OR_RETURN(auto json, to_json(input));
  wire::WebSocket::Message message{std::move(json), false};
  co_return co_await socket_->send(std::move(message));
}

}  // namespace orchion::client
