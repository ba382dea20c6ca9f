#include "control/services/image_carrier.h"

#include <fmt/core.h>

#include "base/log.h"
#include "core/image_reference.h"

namespace orchion::control::services {

using base::Code;

namespace {

std::vector<std::shared_ptr<const v1::Node>> holders_of(const store::View& view, const std::string& reference,
                                                        const std::string& digest) {
  std::vector<std::shared_ptr<const v1::Node>> holders;
  const auto name = core::normalise_image(reference);
  const auto image = name ? view.images().find(*name) : nullptr;
  if (!image) return holders;
  if (!digest.empty() && image->status().pin() != digest && image->status().digest() != digest) return holders;
  for (const auto& each : image->status().nodes()) {
    const auto node = view.nodes().find(each);
    if (node && node->status().state() == v1::NodeStatus::READY) holders.push_back(node);
  }
  return holders;
}

base::Co<> send_piece(AgentStream* to, std::string data) {
  v1::StreamToAgent message;
  message.set_data(std::move(data));
  co_return co_await to->send(std::move(message));
}

}  // namespace

base::Co<std::optional<std::string>> next_piece(NodeStream* from) {
  CO_ASSIGN_OR_RETURN(auto message, co_await from->receive());
  if (!message || !message->has_data())
    co_return base::fail(Code::kUnavailable, "the node that has the image stopped in the middle of it");
  if (message->data().empty()) co_return std::optional<std::string>();
  co_return std::optional<std::string>(std::move(*message->mutable_data()));
}

bool is_held_elsewhere(const store::View& view, const std::string& reference, const std::string& digest,
                       const std::string& node_name) {
  for (const auto& node : holders_of(view, reference, digest))
    if (node->meta().name() != node_name) return true;
  return false;
}

base::Co<> carry_image(ServiceContext context, NodeStreams& streams, v1::ImageFetch fetch, AgentStream to) {
  base::Error last{Code::kNotFound, fmt::format("no other node that is ready has the image {}", fetch.reference()), {}};
  for (const auto& holder : holders_of(context.objects.view(), fetch.reference(), fetch.digest())) {
    v1::StreamRequest want;
    want.mutable_export_()->set_reference(fetch.reference());
    auto from = co_await streams.open(holder->meta().uid(), std::move(want));
    if (!from) {
      last = std::move(from).error();
      continue;
    }
    auto piece = co_await next_piece(from->get());
    if (!piece) {
      last = std::move(piece).error();
      continue;
    }
    base::log::info("the image {} goes from node {} to another", fetch.reference(), holder->meta().name());
    // From here on there is no other holder: the archive has begun.
    while (*piece) {
      CO_RETURN_IF_ERROR(co_await send_piece(&to, std::move(**piece)));
      CO_ASSIGN_OR_RETURN(piece, co_await next_piece(from->get()));
    }
    co_return co_await send_piece(&to, "");
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace orchion::control::services
