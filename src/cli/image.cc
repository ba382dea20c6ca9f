#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>

#include "cli/archive_body.h"
#include "cli/call_row.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/live_lines.h"
#include "cli/pull_rows.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

int print_image(Context& context, base::Result<std::string> json, const std::string& verb) {
  if (!json) return context.fail(json.error());
  v1::Image image;
  if (auto parsed = client::parse_json(*json, image); !parsed) return context.fail(parsed.error());
  if (wants_object(context)) return print_object(context, *json);
  std::cout << image.meta().name() << "\n";
  context.tell(fmt::format("{} {} ({}, {})", verb, image.meta().name(), core::format_bytes(image.status().size_bytes()),
                           image.status().digest()));
  return kExitOk;
}

base::Co<std::string> call_and_read(base::Co<std::string> call, std::shared_ptr<client::ApiClient> api,
                                    base::Clock* clock, std::shared_ptr<PullRows> pulls) {
  using boost::asio::experimental::awaitable_operators::operator||;
  OnPull take = [pulls, clock](const v1::PullProgress& progress) { pulls->put(progress, clock->now()); };
  auto ended = co_await (std::move(call) || read_pulls(std::move(api), clock, std::move(take)));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return std::unexpected(std::get<1>(ended).error());
}

template <class Request>
int image_call(Context& context, const std::string& method, Request request, const std::string& doing,
               const std::string& verb) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = run_with_row(
      context, request.reference(), [doing] { return doing; },
      (*api)->call_json(method, std::make_shared<const Request>(request)));
  return print_image(context, std::move(json), verb);
}

}  // namespace

int run_image_ls(Context& context) {
  return list_command<v1::ListImagesResponse>(
      context, "orchion.v1.ImageService.ListImages", v1::ListImagesRequest(),
      {"IMAGE", "DIGEST", "SIZE", "AGE", "NODES"}, {"ARCH"}, [&](const v1::ListImagesResponse& response) {
        std::vector<Row> rows;
        for (const auto& image : response.images()) {
          const auto& status = image.status();
          std::string nodes;
          for (const auto& node : status.nodes()) nodes += (nodes.empty() ? "" : ", ") + node;
          rows.push_back({image.meta().name(),
                          {image.meta().name(), status.digest().substr(0, 19), core::format_bytes(status.size_bytes()),
                           age_of(status.created_at(), context.clock().wall()), nodes},
                          {status.architecture()}});
        }
        return rows;
      });
}

int run_image_pull(Context& context, const std::string& reference) {
  auto request = std::make_shared<v1::PullImageRequest>();
  request->set_reference(reference);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto call = (*api)->call_json("orchion.v1.ImageService.PullImage", std::move(request));
  auto pulls = std::make_shared<PullRows>();
  // Who sees nothing of it needn't ask.
  if (live_lines(context)) call = call_and_read(std::move(call), *api, &context.clock(), pulls);
  auto text = [pulls, reference] {
    const auto known = pulls->text(reference, "");
    return known.empty() ? "pulling" : known;
  };
  return print_image(context, run_with_row(context, reference, std::move(text), std::move(call)), "pulled");
}

int run_image_push(Context& context, const std::string& reference, const std::string& destination, bool plain_http) {
  v1::PushImageRequest request;
  request.set_reference(reference);
  request.set_destination(destination);
  request.set_plain_http(plain_http);
  return image_call(context, "orchion.v1.ImageService.PushImage", request, "pushing", "pushed");
}

// Nodes that were there and don't have it: they fetch it from those that do.
void tell_without(Context& context, const v1::Image& image) {
  const auto api = context.api();
  const auto nodes =
      api ? context.run((*api)->call<v1::ListNodesResponse>("orchion.v1.NodeService.ListNodes", v1::ListNodesRequest()))
          : base::Result<v1::ListNodesResponse>();
  if (!nodes) return;  // who may not see nodes isn't told of them
  const auto& held = image.status().nodes();
  for (const auto& node : nodes->nodes())
    if (node.status().state() == v1::NodeStatus::READY && std::ranges::find(held, node.meta().name()) == held.end())
      context.say(
          fmt::format("node {} did not take it, and fetches it from another when a task needs it", node.meta().name()));
}

int run_image_import(Context& context, const std::string& file, const std::string& name) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto sent = std::make_shared<Sent>();
  auto archive = open_archive(context.io().get_executor(), file, sent);
  if (!archive) return context.fail(archive.error());
  auto first = std::make_shared<v1::ImportImageRequest>();
  first->set_name(name);
  auto json = run_with_row(
      context, name.empty() ? file : name, [sent] { return text_of(*sent); },
      (*api)->upload("orchion.v1.ImageService.ImportImage", first, std::move(*archive)));
  v1::Image image;
  if (json && client::parse_json(*json, image)) tell_without(context, image);
  return print_image(context, std::move(json), "imported");
}

int run_image_tag(Context& context, const std::string& reference, const std::string& name) {
  v1::TagImageRequest request;
  request.set_reference(reference);
  request.set_name(name);
  return image_call(context, "orchion.v1.ImageService.TagImage", request, "tagging", "tagged");
}

int run_image_rm(Context& context, const std::string& reference) {
  v1::RemoveImageRequest request;
  request.set_reference(reference);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto removed = context.run((*api)->call<google::protobuf::Empty>("orchion.v1.ImageService.RemoveImage", request));
  if (!removed) return context.fail(removed.error());
  context.say(reference + " was removed");
  return kExitOk;
}

int run_image_prune(Context& context) {
  if (!context.confirm("remove every image that no task uses?")) return kExitInterrupted;
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto pruned = context.run(
      (*api)->call<v1::PruneImagesResponse>("orchion.v1.ImageService.PruneImages", v1::PruneImagesRequest()));
  if (!pruned) return context.fail(pruned.error());
  for (const auto& reference : pruned->removed()) std::cout << reference << "\n";
  context.say(fmt::format("{} image{} removed, {} freed", pruned->removed_size(),
                          pruned->removed_size() == 1 ? "" : "s", core::format_bytes(pruned->freed_bytes())));
  return kExitOk;
}

}  // namespace orchion::cli
