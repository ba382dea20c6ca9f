#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>

#include "cli/archive_body.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/live_lines.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

std::string text_of(const Sent& sent) {
  const auto bytes = core::format_bytes(sent.bytes);
  if (sent.all) return bytes + " sent, unpacking";
  return sent.total > 0 ? fmt::format("{} of {} sent ({} %)", bytes, core::format_bytes(sent.total),
                                      std::min<std::int64_t>(100, sent.bytes * 100 / sent.total))
                        : bytes + " sent";
}

base::Co<std::string> call_and_draw(base::Co<std::string> call, base::Co<> drawing) {
  auto ended = co_await (std::move(call) || std::move(drawing));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return std::unexpected(std::get<1>(ended).error());
}

// One row: what is done with `name`, by `text`, and for how long; how it ended.
base::Result<std::string> run_with_row(Context& context, const std::string& name, std::function<std::string()> text,
                                       base::Co<std::string> call) {
  const auto live = live_lines(context);
  const auto began = context.clock().now();
  auto rows = [name, text = std::move(text)](base::Duration elapsed) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
    return std::vector<ProgressRow>{
        {ProgressRow::Mark::kWorking, name, fmt::format("{}  {}", text(), elapsed_text(seconds))}};
  };
  auto json = context.run(call_and_draw(std::move(call), keep_drawn(&context.clock(), live, rows)));
  if (!live) return json;
  auto last = rows(context.clock().now() - began);
  last.front().mark = json ? ProgressRow::Mark::kDone : ProgressRow::Mark::kFailed;
  live->show(last);
  return json;
}

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
  v1::PullImageRequest request;
  request.set_reference(reference);
  return image_call(context, "orchion.v1.ImageService.PullImage", request, "pulling", "pulled");
}

int run_image_push(Context& context, const std::string& reference, const std::string& destination, bool plain_http) {
  v1::PushImageRequest request;
  request.set_reference(reference);
  request.set_destination(destination);
  request.set_plain_http(plain_http);
  return image_call(context, "orchion.v1.ImageService.PushImage", request, "pushing", "pushed");
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
