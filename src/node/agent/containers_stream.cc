// What is in the machine's engines beside our tasks, for those who ask.

#include "core/timestamps.h"
#include "node/agent/streams.h"

namespace orchion::node::agent {

namespace {

v1::ForeignContainer to_message(const std::string& executor, runtimes::ForeignContainer container) {
  v1::ForeignContainer message;
  message.set_executor(executor);
  message.set_id(std::move(container.id));
  message.set_name(std::move(container.name));
  message.set_image(std::move(container.image));
  message.set_state(std::move(container.state));
  message.set_namespace_(std::move(container.name_space));
  *message.mutable_created_at() = core::to_timestamp(container.created_at);
  return message;
}

}  // namespace

base::Co<> StreamServer::containers(std::shared_ptr<DataStream> stream) {
  v1::StreamFromAgent message;
  auto& answer = *message.mutable_containers();
  for (const auto& executor : parts_.executors.all()) {
    auto listed = co_await executor.runtime.list_foreign();
    if (!listed) answer.add_unanswered(executor.name + ": " + listed.error().message);
    if (!listed) continue;
    for (auto& container : *listed) *answer.add_containers() = to_message(executor.name, std::move(container));
  }
  co_return co_await stream->send(std::move(message));
}

}  // namespace orchion::node::agent
