#pragma once

// One message that goes to many callers.

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/methods.h"

namespace orchion::core {

// Never changes; what those that serve it have made of it is kept beside it. Any thread.
class SharedMessage {
 public:
  enum class Form {
    kBytes,  // serialised, as those see it who may not see secrets
    kEvent,  // of a stream of server-sent events
  };
  using Encode = std::function<std::string(const google::protobuf::Message&)>;

  explicit SharedMessage(MessagePtr message) : message_(std::move(message)) {}

  const google::protobuf::Message& message() const { return *message_; }

  // What `encode` makes of it: called for the first who asks for this form, while all others wait.
  const std::string& as(Form form, const Encode& encode) const {
    auto& encoded = forms_.at(static_cast<std::size_t>(form));
    std::call_once(encoded.made, [&] { encoded.text = encode(*message_); });
    return encoded.text;
  }

 private:
  struct Encoded {
    std::once_flag made;
    std::string text;
  };

  const MessagePtr message_;
  mutable std::array<Encoded, 2> forms_;
};

using SharedMessagePtr = std::shared_ptr<const SharedMessage>;

MessagePtr copy_of(const SharedMessage& shared);

// A MessageStream that makes no copy of what goes to many.
class SharingStream : public MessageStream {
 public:
  // As send() for each in turn.
  virtual base::Co<> send_shared(std::vector<SharedMessagePtr> messages) = 0;
};

// By send_shared() where the stream has it, else by send() of copies.
base::Co<> send_shared(std::shared_ptr<MessageStream> stream, std::vector<SharedMessagePtr> messages);

}  // namespace orchion::core
