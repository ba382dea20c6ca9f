#include "core/shared_message.h"

namespace orchion::core {

MessagePtr copy_of(const SharedMessage& shared) {
  MessagePtr copy(shared.message().New());
  copy->CopyFrom(shared.message());
  return copy;
}

base::Co<> send_shared(std::shared_ptr<MessageStream> stream, std::vector<SharedMessagePtr> messages) {
  if (auto* const sharing = dynamic_cast<SharingStream*>(stream.get()))
    co_return co_await sharing->send_shared(std::move(messages));
  for (const auto& message : messages) CO_RETURN_IF_ERROR(co_await stream->send(copy_of(*message)));
  co_return base::Result<>{};
}

}  // namespace orchion::core
