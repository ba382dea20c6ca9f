#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "spec/render_service.h"

namespace orchion::spec {

namespace {

void pairs(std::string_view key, const std::vector<BuildSpec::Pair>& values, RenderWriter& yaml) {
  if (values.empty()) return;
  yaml.key(key);
  yaml.begin_map();
  for (const auto& pair : values) yaml.field(pair.name, pair.value);
  yaml.end_map();
}

// What comes from the environment stays there.
void arguments(const BuildSpec& build, RenderWriter& yaml) {
  if (build.arguments.empty()) return;
  yaml.key("args");
  yaml.begin_map();
  for (const auto& argument : build.arguments) {
    yaml.key(argument.name);
    if (argument.from_environment) {
      yaml.plain("null");
    } else {
      yaml.literal(argument.value);
    }
  }
  yaml.end_map();
}

void limits(const BuildSpec& build, RenderWriter& yaml) {
  if (build.ulimits.empty()) return;
  yaml.key("ulimits");
  yaml.begin_map();
  for (const auto& limit : build.ulimits) {
    const auto colon = limit.value.find(':');
    yaml.key(limit.name);
    yaml.begin_map();
    yaml.field("soft", limit.value.substr(0, colon));
    yaml.field("hard", limit.value.substr(colon + 1));
    yaml.end_map();
  }
  yaml.end_map();
}

}  // namespace

void render_build(const BuildSpec& build, RenderWriter& yaml) {
  yaml.key("build");
  yaml.begin_map();
  yaml.field("context", build.context);
  yaml.field("dockerfile", build.dockerfile);
  yaml.field("dockerfile_inline", build.dockerfile_inline);
  arguments(build, yaml);
  yaml.field("target", build.target);
  pairs("labels", build.labels, yaml);
  yaml.list_if("tags", build.tags);
  pairs("additional_contexts", build.additional_contexts, yaml);
  std::vector<std::string> secrets;
  std::ranges::transform(build.secrets, std::back_inserter(secrets), &BuildSpec::Secret::id);
  yaml.list_if("secrets", secrets);
  yaml.list_if("ssh", build.ssh);
  yaml.list_if("cache_from", build.cache_from);
  yaml.list_if("cache_to", build.cache_to);
  yaml.flag("no_cache", build.no_cache);
  yaml.flag("pull", build.pull);
  yaml.field("network", build.network);
  pairs("extra_hosts", build.extra_hosts, yaml);
  if (!build.platform.empty()) yaml.list("platforms", std::vector{build.platform});
  yaml.number_if("shm_size", build.shm_bytes);
  limits(build, yaml);
  yaml.end_map();
}

}  // namespace orchion::spec
