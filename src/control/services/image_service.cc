#include "control/services/image_service.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "control/services/bind.h"
#include "control/services/image_carrier.h"
#include "control/services/image_uses.h"
#include "control/services/pull_watch.h"
#include "control/services/view_wait.h"
#include "core/image_reference.h"

namespace orchion::control::services {

namespace {

using Nodes = ImageService::Nodes;

bool is_held(const store::View& view, const std::string& reference, const std::string& node) {
  const auto image = view.images().find(reference);
  return image && std::ranges::find(image->status().nodes(), node) != image->status().nodes().end();
}

std::unexpected<base::Error> wrong_field(const std::string& field, const std::string& why) {
  return std::unexpected(base::Error{base::Code::kInvalidArgument, why, {{"/" + field, why}}});
}

// The error says which field holds what is no name of an image.
base::Result<core::ImageReference> parse_field(const std::string& field, const std::string& text) {
  auto reference = core::parse_image_reference(text);
  if (!reference) reference.error().fields = {{"/" + field, reference.error().message}};
  return reference;
}

// The image as the list has it, with `nodes` among those that hold it: what bringing it there would come to.
v1::Image would_be(const store::View& view, const std::string& name, const Nodes& nodes) {
  const auto known = view.images().find(name);
  v1::Image image = known ? *known : v1::Image();
  image.mutable_meta()->set_name(name);
  for (const auto& node : nodes) {
    if (!is_held(view, name, node->meta().name())) image.mutable_status()->add_nodes(node->meta().name());
  }
  return image;
}

// How long the answer waits for the nodes' own lists, so that what it tells of is listed, or no longer, by then. The
// work is done either way.
constexpr auto kListedLimit = std::chrono::seconds(5);

// The final answer on a stream to an agent; log lines and the like don't come on these.
base::Co<v1::StreamFromAgent> final_answer(NodeStream* stream) {
  CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
  if (!message) co_return base::fail(base::Code::kUnavailable, "the node gave no answer: try again");
  co_return std::move(*message);
}

// An archive that a node has begun to send.
struct BegunExport {
  std::unique_ptr<NodeStream> from;
  std::optional<std::string> piece;
};

base::Co<BegunExport> begin_export(NodeStreams* streams, std::string node_uid, std::string reference) {
  v1::StreamRequest want;
  want.mutable_export_()->set_reference(std::move(reference));
  BegunExport begun;
  CO_ASSIGN_OR_RETURN(begun.from, co_await streams->open(std::move(node_uid), std::move(want)));
  CO_ASSIGN_OR_RETURN(begun.piece, co_await next_piece(begun.from.get()));
  co_return std::move(begun);
}

// An archive on its way to a node.
struct Upload {
  std::string node;                // its name
  std::unique_ptr<NodeStream> to;  // null: it doesn't take the archive
  base::Error failure;             // why
};

bool has_taker(const std::vector<Upload>& uploads) {
  return std::ranges::any_of(uploads, [](const Upload& upload) { return upload.to != nullptr; });
}

// A node that fails is left out from then on; an error is the caller's own end.
base::Co<> leave_out(Upload* upload, base::Error failure) {
  upload->to.reset();
  upload->failure = std::move(failure);
  const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != boost::asio::cancellation_type::none) co_return std::unexpected(upload->failure);
  co_return base::Result<>{};
}

base::Co<> send_piece(Upload* upload, std::string data) {
  if (!upload->to) co_return base::Result<>{};
  v1::StreamToAgent message;
  message.set_data(std::move(data));
  auto sent = co_await upload->to->send(std::move(message));
  if (sent) co_return sent;
  // The node's own words say why it stopped taking the archive.
  auto answer = co_await final_answer(upload->to.get());
  auto failure = answer ? sent.error() : answer.error();
  co_return co_await leave_out(upload, std::move(failure));
}

// The image as the node has it then, on this one too.
base::Co<> finish_upload(Upload* upload, v1::Image* image) {
  if (!upload->to) co_return base::Result<>{};
  v1::StreamToAgent end;
  end.set_data("");
  // A node that has refused already doesn't listen; its answer below says why.
  (void)co_await upload->to->send(std::move(end));
  auto answer = co_await final_answer(upload->to.get());
  if (!answer) {
    auto failure = answer.error();
    co_return co_await leave_out(upload, std::move(failure));
  }
  auto held = std::move(*image->mutable_status()->mutable_nodes());
  *image = std::move(*answer->mutable_image());
  *image->mutable_status()->mutable_nodes() = std::move(held);
  image->mutable_status()->add_nodes(upload->node);
  co_return base::Result<>{};
}

base::Co<> pass_on(BegunExport archive, core::TypedStream<v1::ExportImageRequest, v1::ImagePiece> stream) {
  while (archive.piece) {
    v1::ImagePiece message;
    message.set_data(*std::move(archive.piece));
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(message)));
    CO_ASSIGN_OR_RETURN(archive.piece, co_await next_piece(archive.from.get()));
  }
  co_return base::Result<>{};
}

bool is_listed(const store::View& view, const v1::Image& image) {
  const auto known = view.images().find(image.meta().name());
  return known && known->status().digest() == image.status().digest() &&
         std::ranges::all_of(image.status().nodes(),
                             [&](const std::string& node) { return is_held(view, image.meta().name(), node); });
}

// Neither fails: what the answer tells of is done.
base::Co<> wait_until_listed(ServiceContext context, v1::Image image) {
  auto listed = [&] { return is_listed(context.objects.view(), image); };
  (void)co_await wait_for_view(context, std::move(listed), kListedLimit, "listing the image");
  co_return base::Result<>{};
}

base::Co<> wait_until_unlisted(ServiceContext context, std::vector<std::string> references, Nodes nodes) {
  auto unlisted = [&] {
    for (const auto& reference : references)
      for (const auto& node : nodes)
        if (is_held(context.objects.view(), reference, node->meta().name())) return false;
    return true;
  };
  (void)co_await wait_for_view(context, std::move(unlisted), kListedLimit, "taking images off the list");
  co_return base::Result<>{};
}

}  // namespace

base::Result<ImageService::Nodes> ImageService::targets(const std::string& name) const {
  Nodes result;
  for (const auto& [key, node] : context_.objects.view().nodes().all()) {
    if (!name.empty() && node->meta().name() != name) continue;
    if (node->status().state() == v1::NodeStatus::READY) result.push_back(node);
  }
  if (result.empty() && !name.empty())
    return base::fail(base::Code::kNotFound, fmt::format("there is no ready node {}: see `orchion node ls`", name));
  if (result.empty())
    return base::fail(base::Code::kUnavailable, "no node is ready to hold images: see `orchion node ls`");
  return result;
}

base::Result<ImageService::Nodes> ImageService::holders(const std::string& reference) const {
  ASSIGN_OR_RETURN(const auto parsed, parse_field("reference", reference));
  const auto image = context_.objects.view().images().find(parsed.text());
  if (!image)
    return base::fail(base::Code::kNotFound,
                      fmt::format("no node has the image {}: see `orchion image ls`", reference));
  Nodes result;
  for (const auto& name : image->status().nodes()) {
    const auto node = context_.objects.view().nodes().find(name);
    if (node && node->status().state() == v1::NodeStatus::READY) result.push_back(node);
  }
  if (result.empty())
    return base::fail(base::Code::kUnavailable,
                      fmt::format("the nodes that hold {} are not connected: see `orchion node ls`", reference));
  return result;
}

base::Co<v1::StreamFromAgent> ImageService::ask(std::string node_uid, v1::StreamRequest request) {
  CO_ASSIGN_OR_RETURN(auto stream, co_await streams_.open(std::move(node_uid), std::move(request)));
  co_return co_await final_answer(stream.get());
}

base::Co<v1::Image> ImageService::pull(core::CallContext, v1::PullImageRequest request) {
  CO_ASSIGN_OR_RETURN(const auto reference, parse_field("reference", request.reference()));
  CO_ASSIGN_OR_RETURN(const auto nodes, targets(request.node()));
  if (request.dry_run()) co_return would_be(context_.objects.view(), reference.text(), nodes);
  v1::StreamRequest want;
  want.mutable_pull()->set_reference(request.reference());
  co_return co_await ask_each(nodes, std::move(want));
}

// The image as all of them have it then.
base::Co<v1::Image> ImageService::ask_each(Nodes nodes, v1::StreamRequest request) {
  v1::Image image;
  for (const auto& node : nodes) {
    CO_ASSIGN_OR_RETURN(auto answer, co_await ask(node->meta().uid(), request));
    auto held = std::move(*image.mutable_status()->mutable_nodes());
    image = std::move(*answer.mutable_image());
    *image.mutable_status()->mutable_nodes() = std::move(held);
    image.mutable_status()->add_nodes(node->meta().name());
  }
  CO_RETURN_IF_ERROR(co_await wait_until_listed(context_, image));
  co_return image;
}

base::Co<v1::Image> ImageService::push(core::CallContext, v1::PushImageRequest request) {
  if (request.destination().empty()) request.set_destination(request.reference());
  CO_ASSIGN_OR_RETURN(const auto reference, parse_field("reference", request.reference()));
  CO_ASSIGN_OR_RETURN(const auto destination, parse_field("destination", request.destination()));
  if (!destination.digest.empty())
    co_return wrong_field("destination", "an image is pushed to a tag, not to a digest: give NAME:TAG");
  if (request.plain_http() && !destination.on_loopback())
    co_return wrong_field(
        "plainHttp",
        fmt::format("{} is not on this machine's loopback: without TLS an image would travel in the open, so the "
                    "registry needs a certificate",
                    destination.registry));
  CO_ASSIGN_OR_RETURN(const auto nodes, holders(request.reference()));
  if (request.dry_run()) co_return would_be(context_.objects.view(), reference.text(), {});
  v1::StreamRequest want;
  want.mutable_push()->set_reference(request.reference());
  want.mutable_push()->set_destination(request.destination());
  want.mutable_push()->set_plain_http(request.plain_http());
  CO_ASSIGN_OR_RETURN(auto answer, co_await ask(nodes.front()->meta().uid(), std::move(want)));
  co_return std::move(*answer.mutable_image());
}

base::Co<v1::Image> ImageService::tag(core::CallContext, v1::TagImageRequest request) {
  CO_ASSIGN_OR_RETURN(const auto reference, parse_field("reference", request.reference()));
  CO_ASSIGN_OR_RETURN(const auto name, parse_field("name", request.name()));
  if (!name.digest.empty()) co_return wrong_field("name", "an image's new name is a tag, not a digest: give NAME:TAG");
  CO_ASSIGN_OR_RETURN(const auto nodes, holders(request.reference()));
  if (request.dry_run()) {
    v1::Image image = *context_.objects.view().images().find(reference.text());
    image.mutable_meta()->set_name(name.text());
    co_return image;
  }
  v1::StreamRequest want;
  want.mutable_tag()->set_reference(request.reference());
  want.mutable_tag()->set_name(request.name());
  co_return co_await ask_each(nodes, std::move(want));
}

base::Co<> ImageService::import(core::CallContext, core::TypedStream<v1::ImportImageRequest, v1::Image> stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first) co_return base::fail(base::Code::kInvalidArgument, "the upload carried nothing");
  if (!first->name().empty()) {
    CO_RETURN_IF_ERROR(parse_field("name", first->name()));
  }
  CO_ASSIGN_OR_RETURN(const auto nodes, targets(first->node()));
  if (first->dry_run()) co_return co_await import_nothing(std::move(*first), nodes, stream);
  std::vector<Upload> uploads;
  for (const auto& node : nodes) {
    v1::StreamRequest want;
    want.mutable_import()->set_name(first->name());
    uploads.push_back({node->meta().name(), nullptr, {}});
    auto opened = co_await streams_.open(node->meta().uid(), std::move(want));
    if (opened) uploads.back().to = std::move(*opened);
    if (!opened) uploads.back().failure = opened.error();
  }
  // Every node takes each piece before the next is read: the slowest sets the pace. Without any nothing is read.
  for (std::optional<v1::ImportImageRequest> piece = std::move(first); piece && has_taker(uploads);) {
    for (auto& upload : uploads)
      if (!piece->data().empty()) CO_RETURN_IF_ERROR(co_await send_piece(&upload, piece->data()));
    CO_ASSIGN_OR_RETURN(piece, co_await stream.receive());
  }
  v1::Image image;
  for (auto& upload : uploads) CO_RETURN_IF_ERROR(co_await finish_upload(&upload, &image));
  if (image.status().nodes().empty()) co_return std::unexpected(uploads.front().failure);
  for (const auto& upload : uploads)
    if (!upload.to)
      base::log::warn("node {} did not take {}: {}", upload.node, image.meta().name(), upload.failure.message);
  CO_RETURN_IF_ERROR(co_await wait_until_listed(context_, image));
  co_return co_await stream.send(std::move(image));
}

// The upload is taken to its end, so that a caller that is still sending hears the answer.
base::Co<> ImageService::import_nothing(v1::ImportImageRequest first, Nodes nodes,
                                        core::TypedStream<v1::ImportImageRequest, v1::Image> stream) {
  for (bool more = true; more;) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await stream.receive());
    more = piece.has_value();
  }
  const auto name = core::normalise_image(first.name()).value_or("");
  co_return co_await stream.send(would_be(context_.objects.view(), name, nodes));
}

base::Co<> ImageService::export_image(core::CallContext,
                                      core::TypedStream<v1::ExportImageRequest, v1::ImagePiece> stream) {
  CO_ASSIGN_OR_RETURN(const auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  CO_ASSIGN_OR_RETURN(const auto reference, parse_field("name", request->name()));
  auto nodes = holders(request->name());
  if (!nodes && nodes.error().code == base::Code::kNotFound) nodes = targets("");
  CO_RETURN_IF_ERROR(nodes);
  base::Error last;
  for (const auto& node : *nodes) {
    auto begun = co_await begin_export(&streams_, node->meta().uid(), reference.text());
    // From its beginning on there is no other node.
    if (begun) co_return co_await pass_on(*std::move(begun), stream);
    last = std::move(begun).error();
  }
  if (last.code == base::Code::kNotFound)
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("no node has the image {}: see `orchion image ls`", request->name()));
  co_return std::unexpected(std::move(last));
}

base::Co<> ImageService::watch_pulls(core::CallContext,
                                     core::TypedStream<v1::WatchPullsRequest, v1::PullProgress> stream) {
  CO_ASSIGN_OR_RETURN(const auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  std::string reference;
  if (!request->reference().empty()) {
    CO_ASSIGN_OR_RETURN(const auto parsed, parse_field("reference", request->reference()));
    reference = parsed.text();
  }
  co_return co_await services::watch_pulls(context_, streams_, std::move(reference), stream);
}

base::Co<google::protobuf::Empty> ImageService::remove(core::CallContext, v1::RemoveImageRequest request) {
  CO_ASSIGN_OR_RETURN(const auto nodes, holders(request.reference()));
  if (request.dry_run()) co_return would_remove(request.reference(), nodes);
  for (const auto& node : nodes) {
    v1::StreamRequest want;
    want.mutable_remove_image()->set_reference(request.reference());
    CO_RETURN_IF_ERROR(co_await ask(node->meta().uid(), std::move(want)));
  }
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(request.reference()));
  std::vector<std::string> references{name};
  CO_RETURN_IF_ERROR(co_await wait_until_unlisted(context_, std::move(references), nodes));
  co_return google::protobuf::Empty();
}

base::Result<google::protobuf::Empty> ImageService::would_remove(const std::string& reference,
                                                                 const Nodes& nodes) const {
  const auto& view = context_.objects.view();
  ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  const auto image = view.images().find(name);
  for (const auto& node : nodes) {
    if (image && is_in_use(view, *image, *node))
      return base::fail(
          base::Code::kFailedPrecondition,
          fmt::format("the image {} is used by a task on {}: stop what runs from it first", name, node->meta().name()));
  }
  return google::protobuf::Empty();
}

base::Co<v1::PruneImagesResponse> ImageService::prune(core::CallContext, v1::PruneImagesRequest request) {
  CO_ASSIGN_OR_RETURN(const auto nodes, targets(""));
  if (request.dry_run()) co_return prunable(context_.objects.view(), nodes);
  v1::PruneImagesResponse total;
  for (const auto& node : nodes) {
    v1::StreamRequest want;
    want.mutable_prune_images();
    CO_ASSIGN_OR_RETURN(auto answer, co_await ask(node->meta().uid(), std::move(want)));
    for (const auto& reference : answer.pruned().removed()) total.add_removed(reference);
    total.set_freed_bytes(total.freed_bytes() + answer.pruned().freed_bytes());
  }
  std::vector<std::string> references(total.removed().begin(), total.removed().end());
  CO_RETURN_IF_ERROR(co_await wait_until_unlisted(context_, std::move(references), nodes));
  co_return total;
}

void add_image_service(core::MethodTable& table, std::shared_ptr<ImageService> service) {
  const auto bind = binder(service);
  table.unary<v1::PullImageRequest, v1::Image>("orchion.v1.ImageService.PullImage", bind(&ImageService::pull));
  table.unary<v1::PushImageRequest, v1::Image>("orchion.v1.ImageService.PushImage", bind(&ImageService::push));
  table.unary<v1::TagImageRequest, v1::Image>("orchion.v1.ImageService.TagImage", bind(&ImageService::tag));
  table.unary<v1::RemoveImageRequest, google::protobuf::Empty>("orchion.v1.ImageService.RemoveImage",
                                                               bind(&ImageService::remove));
  table.unary<v1::PruneImagesRequest, v1::PruneImagesResponse>("orchion.v1.ImageService.PruneImages",
                                                               bind(&ImageService::prune));
  table.stream<v1::ExportImageRequest, v1::ImagePiece>(
      "orchion.v1.ImageService.ExportImage",
      [service](core::CallContext call, auto stream) { return service->export_image(std::move(call), stream); });
  table.stream<v1::WatchPullsRequest, v1::PullProgress>(
      "orchion.v1.ImageService.WatchPulls",
      [service](core::CallContext call, auto stream) { return service->watch_pulls(std::move(call), stream); });
  table.stream<v1::ImportImageRequest, v1::Image>(
      "orchion.v1.ImageService.ImportImage",
      [service](core::CallContext call, auto stream) { return service->import(std::move(call), stream); });
}

}  // namespace orchion::control::services
