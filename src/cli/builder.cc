#include "cli/builder.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <fmt/core.h>

#include "core/image_reference.h"

namespace orchion::cli {

namespace {

using spec::BuildSpec;

constexpr Builder kInOrder[] = {Builder::kBuildah, Builder::kPodman, Builder::kDocker};

// Collects the arguments of one build.
class CallWriter {
 public:
  CallWriter(Builder builder, const BuildSpec& build, const BuildFlags& flags, const BuildFiles& files)
      : builder_(builder), build_(build), flags_(flags), files_(files) {}

  base::Result<BuilderCall> run() {
    add({program_of(builder_), "build", "--iidfile", files_.id.string(), "-t", build_.image});
    RETURN_IF_ERROR(is_docker() ? add_for_docker() : add_for_buildah());
    add_arguments();
    add_file();
    for (const auto& label : build_.labels) add({"--label", label.name + "=" + label.value});
    for (const auto& host : build_.extra_hosts) add({"--add-host", host.name + ":" + host.value});
    for (const auto& limit : build_.ulimits) add({"--ulimit", limit.name + "=" + limit.value});
    for (const auto& other : build_.additional_contexts) add({"--build-context", other.name + "=" + other.value});
    add_secrets();
    for (const auto& key : build_.ssh) add({"--ssh", key});
    if (!build_.target.empty()) add({"--target", build_.target});
    if (!build_.network.empty()) add({"--network", build_.network});
    if (!build_.platform.empty()) add({"--platform", build_.platform});
    if (build_.shm_bytes > 0) add({"--shm-size", fmt::format("{}b", build_.shm_bytes)});
    if (build_.no_cache || flags_.no_cache) add({"--no-cache"});
    add({build_.context});
    return std::move(call_);
  }

 private:
  bool is_docker() const { return builder_ == Builder::kDocker; }
  bool pulls() const { return build_.pull || flags_.pull; }

  void add(std::vector<std::string> words) { std::ranges::move(words, std::back_inserter(call_.arguments)); }

  base::Result<> add_for_docker() {
    call_.environment.emplace_back("BUILDKIT_PROGRESS", "plain");
    // Only its newer builder knows these.
    if (!build_.secrets.empty() || !build_.ssh.empty() || !build_.additional_contexts.empty())
      call_.environment.emplace_back("DOCKER_BUILDKIT", "1");
    for (const auto& cache : build_.cache_from) add({"--cache-from", cache});
    for (const auto& cache : build_.cache_to) add({"--cache-to", cache});
    if (pulls()) add({"--pull"});
    return {};
  }

  base::Result<> add_for_buildah() {
    // What finished steps made is kept, and health checks, which OCI's own format has no place for.
    add({"--layers", "--format", "docker", pulls() ? "--pull=always" : "--pull=false"});
    // Needs neither a network of its own nor control groups, and so works wherever the user may mount.
    if (std::getenv("BUILDAH_ISOLATION") == nullptr && build_.network != "none") add({"--isolation", "chroot"});
    RETURN_IF_ERROR(add_repositories("--cache-from", "cache_from", build_.cache_from));
    return add_repositories("--cache-to", "cache_to", build_.cache_to);
  }

  base::Result<> add_repositories(const std::string& flag, const std::string& key,
                                  const std::vector<std::string>& caches) {
    constexpr std::string_view kPrefix = "type=registry,ref=";
    for (const auto& cache : caches) {
      const auto text = cache.starts_with(kPrefix) ? cache.substr(kPrefix.size()) : cache;
      const auto reference = core::parse_image_reference(text);
      if (!reference)
        return base::fail(base::Code::kFailedPrecondition,
                          fmt::format("{}: {} keeps finished steps in repositories, and `{}: {}` is none: name one, or "
                                      "build with --builder docker",
                                      build_.place, program_of(builder_), key, cache));
      add({flag, reference->name()});
    }
    return {};
  }

  // What comes from the environment stays there: arguments are world-readable.
  void add_arguments() {
    for (const auto& argument : build_.arguments) {
      const auto is_it = [&](const std::string& flag) { return flag.substr(0, flag.find('=')) == argument.name; };
      if (std::ranges::any_of(flags_.arguments, is_it)) continue;
      add({"--build-arg", argument.from_environment ? argument.name : argument.name + "=" + argument.value});
      if (argument.from_environment) call_.environment.emplace_back(argument.name, argument.value);
    }
    for (const auto& flag : flags_.arguments) add({"--build-arg", flag});
  }

  void add_file() {
    if (!build_.dockerfile_inline.empty()) return add({"-f", files_.dockerfile.string()});
    if (!build_.dockerfile.empty()) add({"-f", build_.dockerfile});
  }

  void add_secrets() {
    for (const auto& secret : build_.secrets) {
      if (secret.file.empty()) {
        // Under a name of its own, so that no secret changes what the builder itself does.
        const auto variable = fmt::format("ORCHION_BUILD_SECRET_{}", call_.environment.size());
        add({"--secret", fmt::format("id={},env={}", secret.id, variable)});
        call_.environment.emplace_back(variable, secret.value);
      } else {
        add({"--secret", fmt::format("id={},src={}", secret.id, secret.file)});
      }
    }
  }

  const Builder builder_;
  const BuildSpec& build_;
  const BuildFlags& flags_;
  const BuildFiles& files_;
  BuilderCall call_;
};

}  // namespace

std::string program_of(Builder builder) {
  switch (builder) {
    case Builder::kBuildah: return "buildah";
    case Builder::kPodman: return "podman";
    case Builder::kDocker: return "docker";
  }
  return "";
}

base::Result<Builder> choose_builder(const std::string& wanted, const std::string& executor,
                                     const std::function<bool(const std::string&)>& is_there) {
  if (!wanted.empty()) {
    for (const auto builder : kInOrder) {
      if (program_of(builder) != wanted) continue;
      if (is_there(wanted)) return builder;
      return base::fail(
          base::Code::kFailedPrecondition,
          fmt::format("there is no {0} on this machine: install it (on Debian `apt install {1}`), or name "
                      "another builder",
                      wanted, wanted == "docker" ? "docker.io" : wanted));
    }
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is no builder: use buildah, podman or docker", wanted));
  }
  if (executor == "docker" && is_there("docker")) return Builder::kDocker;
  for (const auto builder : kInOrder)
    if (is_there(program_of(builder))) return builder;
  return base::fail(
      base::Code::kFailedPrecondition,
      "no program on this machine builds images: install buildah (on Debian `apt install buildah`), podman "
      "or docker");
}

base::Result<BuilderCall> build_call(Builder builder, const spec::BuildSpec& build, const BuildFlags& flags,
                                     const BuildFiles& files) {
  return CallWriter(builder, build, flags, files).run();
}

BuilderCall save_call(Builder builder, const std::string& id, const std::string& image,
                      const std::filesystem::path& archive) {
  if (builder == Builder::kDocker) return {{"docker", "save", "-o", archive.string(), image}, {}};
  const auto name = core::normalise_image(image).value_or(image);
  return {{program_of(builder), "push", "--quiet", id, fmt::format("docker-archive:{}:{}", archive.string(), name)},
          {}};
}

}  // namespace orchion::cli
