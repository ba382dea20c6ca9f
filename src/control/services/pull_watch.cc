#include "control/services/pull_watch.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/channel.h"

namespace orchion::control::services {

namespace {

using boost::asio::experimental::awaitable_operators::operator&&;
using boost::asio::experimental::awaitable_operators::operator||;
using Stream = core::TypedStream<v1::WatchPullsRequest, v1::PullProgress>;

// Before a node that was away is asked again, and between two looks for nodes that joined.
constexpr auto kRetryInterval = std::chrono::seconds(1);

// What a slow reader may be behind; then the nodes wait.
constexpr std::size_t kMessagesAhead = 16;

struct Watch {
  Watch(ServiceContext from, NodeStreams& node_streams, std::string name)
      : context(from),
        streams(node_streams),
        reference(std::move(name)),
        messages(from.executor, kMessagesAhead),
        fresh(from.executor, kMessagesAhead) {}

  ServiceContext context;
  NodeStreams& streams;
  const std::string reference;
  std::set<std::string> nodes;  // uids of those that somebody attends to
  base::Channel<v1::PullProgress> messages;
  base::Channel<std::string> fresh;  // uids of those that nobody attends to yet
};

base::Co<> find_nodes(std::shared_ptr<Watch> watch) {
  while (true) {
    std::vector<std::string> found;
    for (const auto& [name, node] : watch->context.objects.view().nodes().all())
      if (node->status().state() == v1::NodeStatus::READY && watch->nodes.insert(node->meta().uid()).second)
        found.push_back(node->meta().uid());
    for (auto& uid : found) CO_RETURN_IF_ERROR(co_await watch->fresh.send(std::move(uid)));
    CO_RETURN_IF_ERROR(co_await watch->context.clock.sleep(kRetryInterval));
  }
}

// Until the stream ends.
base::Co<> pass_on(std::shared_ptr<Watch> watch, std::string uid) {
  v1::StreamRequest want;
  want.mutable_pulls();
  CO_ASSIGN_OR_RETURN(const auto stream, co_await watch->streams.open(uid, std::move(want)));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the node says no more");
    auto& progress = *message->mutable_pull_progress();
    if (!watch->reference.empty() && progress.reference() != watch->reference) continue;
    const auto node = watch->context.objects.view().nodes().find_uid(uid);
    if (!node) co_return base::fail(base::Code::kNotFound, "the node is gone");
    progress.set_node(node->meta().name());
    CO_RETURN_IF_ERROR(co_await watch->messages.send(std::move(progress)));
  }
}

base::Co<> attend_to(std::shared_ptr<Watch> watch, std::string uid) {
  while (watch->context.objects.view().nodes().find_uid(uid)) {
    (void)co_await pass_on(watch, uid);
    CO_RETURN_IF_ERROR(co_await watch->context.clock.sleep(kRetryInterval));
  }
  watch->nodes.erase(uid);
  co_return base::Result<>{};
}

// Each node as it comes up, and all those after it.
base::Co<> attend_to_all(std::shared_ptr<Watch> watch) {
  CO_ASSIGN_OR_RETURN(auto uid, co_await watch->fresh.receive());
  if (!uid) co_return base::Result<>{};
  auto [first, others] = co_await (attend_to(watch, std::move(*uid)) && attend_to_all(watch));
  co_return first ? others : first;
}

base::Co<> send_all(std::shared_ptr<Watch> watch, Stream to) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await watch->messages.receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await to.send(std::move(*message)));
  }
}

}  // namespace

base::Co<> watch_pulls(ServiceContext context, NodeStreams& streams, std::string reference, Stream to) {
  auto watch = std::make_shared<Watch>(context, streams, std::move(reference));
  auto ended = co_await (send_all(watch, to) || find_nodes(watch) || attend_to_all(watch));
  co_return std::visit([](auto& result) { return result; }, ended);
}

}  // namespace orchion::control::services
