#pragma once

#include <memory>
#include <optional>

#include "v1/control.pb.h"
#include "wire/http.h"

namespace orchion::client {

// A command being run somewhere: messages as JSON in the frames of a WebSocket. One sender and one receiver.
class ExecSession {
 public:
  explicit ExecSession(std::unique_ptr<wire::WebSocket> socket) : socket_(std::move(socket)) {}

  // nullopt: the server closed it in order, after the exit code.
  base::Co<std::optional<v1::ExecOutput>> receive();
  base::Co<> send(v1::ExecInput input);
  base::Co<> close() { return socket_->close(); }

 private:
  std::unique_ptr<wire::WebSocket> socket_;
};

}  // namespace orchion::client
