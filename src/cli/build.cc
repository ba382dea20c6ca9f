// `orchion build`: the images of services whose file says how they are made.

#include <algorithm>
#include <iostream>

#include <fmt/core.h>

#include "cli/build_images.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Those that are named, in the file's order; all of them where none is.
base::Result<std::vector<spec::BuildSpec>> chosen(const spec::LoadedStack& loaded,
                                                  const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (std::ranges::find(loaded.spec.services(), name, &v1::NamedService::name) == loaded.spec.services().end())
      return base::fail(base::Code::kNotFound, fmt::format("the file has no service {}: see `orchion config`", name));
    if (std::ranges::find(loaded.builds, name, &spec::BuildSpec::service) == loaded.builds.end())
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("{} has no `build`: its image comes from elsewhere", name));
  }
  auto builds = loaded.builds;
  std::erase_if(builds, [&](const spec::BuildSpec& build) {
    return !names.empty() && std::ranges::find(names, build.service) == names.end();
  });
  return builds;
}

base::Result<> push(Context& context, client::ApiClient& api, const std::string& image) {
  v1::PushImageRequest request;
  request.set_reference(image);
  RETURN_IF_ERROR(context.run(api.call<v1::Image>("orchion.v1.ImageService.PushImage", std::move(request))));
  context.tell("pushed " + image);
  return {};
}

base::Result<v1::Image> build_one(Context& context, client::ApiClient& api, const spec::BuildSpec& build,
                                  const BuildOptions& options) {
  ASSIGN_OR_RETURN(const auto json, build_and_send(context, api, build, options.builder));
  v1::Image image;
  RETURN_IF_ERROR(client::parse_json(json, image));
  context.tell(fmt::format("built {} ({}, {})", image.meta().name(), core::format_bytes(image.status().size_bytes()),
                           image.status().digest()));
  if (options.push) RETURN_IF_ERROR(push(context, api, build.image));
  return image;
}

}  // namespace

int run_build(Context& context, const BuildOptions& options) {
  auto loaded = load_stack(context, options.files);
  if (!loaded) return context.fail(loaded.error());
  const auto builds = chosen(*loaded, options.services);
  if (!builds) return context.fail(builds.error());
  if (builds->empty()) {
    context.say("no service of the file has a `build`: there is nothing to do");
    return kExitOk;
  }
  auto api = context.api_or_start();
  if (!api) return context.fail(api.error());
  v1::ListImagesResponse made;
  for (const auto& build : *builds) {
    auto image = build_one(context, **api, build, options);
    if (!image) return context.fail(image.error());
    *made.add_images() = *std::move(image);
  }
  if (wants_object(context)) return print_list(context, json_of(made), "images");
  for (const auto& image : made.images()) std::cout << image.meta().name() << "\n";
  return kExitOk;
}

}  // namespace orchion::cli
