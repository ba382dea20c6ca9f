// Connections to ports of running tasks, carried between a caller and the node they are on.

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "control/services/task_service.h"

namespace orchion::control::services {

namespace {

using ForwardStream = core::TypedStream<v1::ForwardInput, v1::ForwardOutput>;

constexpr std::uint32_t kPortMax = 65535;

// Until the caller is gone; one who has only ended its half still listens.
base::Co<> carry_inward(ForwardStream user, NodeStream* node) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await user.receive());
    if (!input) co_return co_await base::wait_for_ever();
    v1::StreamToAgent message;
    *message.mutable_forward() = std::move(*input);
    CO_RETURN_IF_ERROR(co_await node->send(std::move(message)));
  }
}

base::Co<> carry_outward(ForwardStream user, NodeStream* node) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await node->receive());
    if (!message) co_return base::Result<>{};
    if (message->has_forward()) CO_RETURN_IF_ERROR(co_await user.send(std::move(*message->mutable_forward())));
  }
}

}  // namespace

base::Co<> TaskService::forward(core::CallContext, ForwardStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first || !first->has_start())
    co_return base::fail(base::Code::kInvalidArgument, "the first message must say which port of which task");
  const auto port = first->start().port();
  if (port == 0 || port > kPortMax)
    co_return base::fail(base::Code::kInvalidArgument, "a port is a number from 1 to 65535");
  CO_ASSIGN_OR_RETURN(const auto task, find_running(first->start().stack(), first->start().task()));
  v1::StreamRequest want;
  want.mutable_forward()->set_task_uid(task->meta().uid());
  want.mutable_forward()->set_port(port);
  CO_ASSIGN_OR_RETURN(const auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(want)));
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (carry_outward(stream, node.get()) || carry_inward(stream, node.get()));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::control::services
