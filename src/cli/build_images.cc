#include "cli/build_images.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/process.h"
#include "base/random.h"
#include "cli/call_row.h"
#include "cli/foreground_process.h"
#include "core/image_reference.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// What lies between the builder and the server.
class BuildFolder {
 public:
  static base::Result<BuildFolder> make() {
    std::error_code error;
    const auto parent = std::filesystem::temp_directory_path(error);
    if (error) return base::fail_errno(error.value(), "there is no folder for temporary files");
    auto path = parent / ("orchion-build-" + base::Random::from_system().text(10));
    RETURN_IF_ERROR(base::make_folders(path));
    return BuildFolder(std::move(path));
  }
  ~BuildFolder() {
    if (!path_.empty()) (void)base::remove_tree(path_);
  }
  BuildFolder(BuildFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  BuildFolder& operator=(BuildFolder&&) = delete;

  std::filesystem::path archive() const { return path_ / "image.tar"; }
  BuildFiles files() const { return {path_ / "id", path_ / "Dockerfile"}; }

 private:
  explicit BuildFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

base::Result<Builder> find_builder(const BuilderOptions& options, const std::string& executor) {
  const char* variable = std::getenv("ORCHION_BUILDER");
  const std::string wanted = !options.builder.empty() ? options.builder : variable == nullptr ? "" : variable;
  return choose_builder(wanted, executor, [](const std::string& name) { return base::find_program(name).has_value(); });
}

base::Result<> run_call(Context& context, const spec::BuildSpec& build, BuilderCall call) {
  const auto program = call.arguments.front();
  const bool quiet = context.options().progress == ProgressMode::kQuiet;
  ASSIGN_OR_RETURN(const int code,
                   context.run(run_in_foreground(context.io().get_executor(),
                                                 {std::move(call.arguments), std::move(call.environment), quiet})));
  if (code == 0) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("the image of {} was not built: {} ended with exit code {}; what it said stands above",
                                build.service, program, code));
}

base::Result<> check_source(const spec::BuildSpec& build) {
  if (spec::is_address(build.context)) return {};
  std::error_code error;
  if (std::filesystem::is_directory(build.context, error)) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{}: there is no folder {} to build {} from: create it, or name another `context`",
                                build.place, build.context, build.service));
}

base::Result<std::string> send(Context& context, client::ApiClient& api, const spec::BuildSpec& build,
                               const std::filesystem::path& archive) {
  auto sent = std::make_shared<Sent>();
  ASSIGN_OR_RETURN(auto body, open_archive(context.io().get_executor(), archive.string(), sent));
  auto first = std::make_shared<v1::ImportImageRequest>();
  first->set_name(build.image);
  return run_with_row(
      context, build.image, [sent] { return text_of(*sent); },
      api.upload("orchion.v1.ImageService.ImportImage", std::move(first), std::move(body)));
}

base::Result<> tag(Context& context, client::ApiClient& api, const spec::BuildSpec& build) {
  for (const auto& name : build.tags) {
    v1::TagImageRequest request;
    request.set_reference(build.image);
    request.set_name(name);
    RETURN_IF_ERROR(context.run(api.call<v1::Image>("orchion.v1.ImageService.TagImage", std::move(request))));
  }
  return {};
}

// The digest that the server knows for it; empty where no node has the image.
base::Result<std::string> known_digest(Context& context, client::ApiClient& api, const std::string& name) {
  ASSIGN_OR_RETURN(auto normal, core::normalise_image(name));
  v1::GetImageRequest request;
  request.set_name(std::move(normal));
  auto image = context.run(api.call<v1::Image>("orchion.v1.ImageService.GetImage", std::move(request)));
  if (!image && image.error().code == base::Code::kNotFound) return "";
  if (!image) return std::unexpected(image.error());
  return image->status().digest();
}

// The digest that the service's tasks are to have; empty: not known.
base::Result<std::string> settle(Context& context, client::ApiClient& api, const spec::BuildSpec& build, BuildMode mode,
                                 const BuilderOptions& options) {
  const bool always =
      mode == BuildMode::kAlways || (mode == BuildMode::kMissing && build.when == spec::BuildSpec::When::kAlways);
  if (!always) {
    ASSIGN_OR_RETURN(auto digest, known_digest(context, api, build.image));
    if (!digest.empty() || build.when == spec::BuildSpec::When::kOnRequest) return digest;
    if (mode == BuildMode::kLook) {
      context.say(fmt::format("{}: its image {} isn't built yet; `orchion up` builds it", build.service, build.image));
      return digest;
    }
    if (mode == BuildMode::kNever)
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("no node has the image {} of {}: run `orchion build {}`, or `orchion up` without "
                                    "--no-build",
                                    build.image, build.service, build.service));
  }
  ASSIGN_OR_RETURN(const auto json, build_and_send(context, api, build, options));
  v1::Image image;
  RETURN_IF_ERROR(client::parse_json(json, image));
  return image.status().digest();
}

}  // namespace

base::Result<std::string> build_and_send(Context& context, client::ApiClient& api, const spec::BuildSpec& build,
                                         const BuilderOptions& options) {
  ASSIGN_OR_RETURN(const auto builder, find_builder(options, build.executor));
  RETURN_IF_ERROR(check_source(build));
  ASSIGN_OR_RETURN(const auto folder, BuildFolder::make());
  const auto files = folder.files();
  if (!build.dockerfile_inline.empty()) RETURN_IF_ERROR(base::write_file(files.dockerfile, build.dockerfile_inline));
  ASSIGN_OR_RETURN(auto call, build_call(builder, build, options.flags, files));
  context.tell(fmt::format("building {} with {}", build.service, program_of(builder)));
  RETURN_IF_ERROR(run_call(context, build, std::move(call)));
  ASSIGN_OR_RETURN(const auto id, base::read_file(files.id));
  RETURN_IF_ERROR(run_call(context, build, save_call(builder, id, build.image, folder.archive())));
  ASSIGN_OR_RETURN(auto json, send(context, api, build, folder.archive()));
  RETURN_IF_ERROR(tag(context, api, build));
  return json;
}

base::Result<> settle_build(Context& context, client::ApiClient& api, const spec::BuildSpec& build, BuildMode mode,
                            const BuilderOptions& options, v1::ContainerSpec& container) {
  ASSIGN_OR_RETURN(auto digest, settle(context, api, build, mode, options));
  // Where the registry is asked each time, its answer counts.
  if (container.pull_policy() != v1::PULL_ALWAYS) container.set_image_digest(std::move(digest));
  return {};
}

base::Result<> settle_builds(Context& context, client::ApiClient& api, spec::LoadedStack& loaded, BuildMode mode,
                             const BuilderOptions& options) {
  for (const auto& build : loaded.builds) {
    const auto service = std::ranges::find(*loaded.spec.mutable_services(), build.service, &v1::NamedService::name);
    if (service == loaded.spec.mutable_services()->end()) continue;
    RETURN_IF_ERROR(settle_build(context, api, build, mode, options, *service->mutable_spec()->mutable_container()));
  }
  return {};
}

}  // namespace orchion::cli
