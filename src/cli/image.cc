#include <iostream>

#include <fcntl.h>
#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// A file or standard input, in pieces. Reading blocks the loop, which has nothing else to do.
class FileBody final : public wire::BodyReader {
 public:
  explicit FileBody(base::UniqueFd fd) : fd_(std::move(fd)) {}

  base::Co<std::optional<std::string>> read() override {
    std::string piece(256 << 10, '\0');
    const auto n = ::read(fd_.get(), piece.data(), piece.size());
    if (n < 0) co_return base::fail_errno(errno, "cannot read the archive");
    if (n == 0) co_return std::optional<std::string>();
    piece.resize(static_cast<std::size_t>(n));
    co_return std::optional(std::move(piece));
  }

 private:
  base::UniqueFd fd_;
};

int print_image(Context& context, base::Result<std::string> json, const std::string& verb) {
  if (!json) return context.fail(json.error());
  v1::Image image;
  if (auto parsed = client::parse_json(*json, image); !parsed) return context.fail(parsed.error());
  if (wants_object(context)) return print_object(context, *json);
  std::cout << image.meta().name() << "\n";
  context.say(fmt::format("{} {} ({}, {})", verb, image.meta().name(), core::format_bytes(image.status().size_bytes()),
                          image.status().digest()));
  return kExitOk;
}

template <class Request>
int image_call(Context& context, const std::string& method, Request request, const std::string& verb) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  return print_image(context, context.run((*api)->call_json(method, std::make_shared<const Request>(request))), verb);
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
  return image_call(context, "orchion.v1.ImageService.PullImage", request, "pulled");
}

int run_image_push(Context& context, const std::string& reference, const std::string& destination, bool plain_http) {
  v1::PushImageRequest request;
  request.set_reference(reference);
  request.set_destination(destination);
  request.set_plain_http(plain_http);
  return image_call(context, "orchion.v1.ImageService.PushImage", request, "pushed");
}

int run_image_import(Context& context, const std::string& file, const std::string& name) {
  base::UniqueFd fd(file == "-" ? ::dup(STDIN_FILENO) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    const auto error = base::fail_errno(errno, "cannot read " + file).error();
    return context.fail(error);
  }
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto first = std::make_shared<v1::ImportImageRequest>();
  first->set_name(name);
  auto json = context.run(
      (*api)->upload("orchion.v1.ImageService.ImportImage", first, std::make_shared<FileBody>(std::move(fd))));
  return print_image(context, std::move(json), "imported");
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
