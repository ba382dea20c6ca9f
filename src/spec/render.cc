#include "spec/render.h"

#include <algorithm>
#include <map>
#include <utility>

#include "spec/render_service.h"

namespace orchion::spec {

namespace {

class Renderer {
 public:
  explicit Renderer(const std::vector<BuildSpec>& builds) : builds_(builds) {}

  std::string run(const std::string& name, const v1::StackSpec& spec) {
    yaml_.begin_map();
    yaml_.field("name", name);
    if (!spec.services().empty()) services(spec);
    networks(spec);
    volumes(spec);
    file_sources("secrets", spec, true);
    file_sources("configs", spec, false);
    models(spec);
    orchion(spec);
    yaml_.end_map();
    return yaml_.take();
  }

 private:
  void services(const v1::StackSpec& spec) {
    yaml_.key("services");
    yaml_.begin_map();
    for (const auto& named : spec.services()) {
      const auto build = std::ranges::find(builds_, named.name(), &BuildSpec::service);
      render_service(named, build == builds_.end() ? nullptr : &*build, yaml_);
    }
    yaml_.end_map();
  }

  void orchion(const v1::StackSpec& spec) {
    if (spec.jobs().empty() && spec.queues().empty() && spec.network_policies().empty()) return;
    yaml_.key("x-orchion");
    yaml_.begin_map();
    render_network_policies(spec, yaml_);
    render_queues(spec, yaml_);
    if (!spec.jobs().empty()) {
      yaml_.key("jobs");
      yaml_.begin_map();
      for (const auto& job : spec.jobs()) render_job(job, yaml_);
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void networks(const v1::StackSpec& spec) {
    if (spec.networks().empty()) return;
    yaml_.key("networks");
    yaml_.begin_map();
    for (const auto& network : spec.networks()) {
      yaml_.key(network.name());
      yaml_.begin_map();
      yaml_.flag("internal", network.spec().internal());
      yaml_.labels(network.spec().labels());
      if (!network.spec().subnet().empty()) subnet(network.spec().subnet());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void subnet(const std::string& subnet) {
    yaml_.key("ipam");
    yaml_.begin_map();
    yaml_.key("config");
    yaml_.begin_list();
    yaml_.begin_map();
    yaml_.field("subnet", subnet);
    yaml_.end_map();
    yaml_.end_list();
    yaml_.end_map();
  }

  void volumes(const v1::StackSpec& spec) {
    if (spec.volumes().empty()) return;
    yaml_.key("volumes");
    yaml_.begin_map();
    for (const auto& volume : spec.volumes()) {
      yaml_.key(volume.name());
      yaml_.begin_map();
      yaml_.labels(volume.spec().labels());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void add_secrets_of_builds(std::map<std::string, v1::FileMount>& sources) const {
    for (const auto& build : builds_) {
      for (const auto& secret : build.secrets) {
        v1::FileMount source;
        source.set_origin(secret.file.empty() ? "environment:" + secret.variable : "file:" + secret.file);
        sources.emplace(secret.id, std::move(source));
      }
    }
  }

  // Where contents came from, not what they are: a secret is printed by nobody.
  void file_sources(std::string_view key, const v1::StackSpec& spec, bool in_memory) {
    std::map<std::string, v1::FileMount> sources;
    const auto take = [&](const v1::ContainerSpec& container) {
      for (const auto& file : container.files())
        if (file.in_memory() == in_memory) sources.emplace(file.name(), file);
    };
    for (const auto& service : spec.services()) take(service.spec().container());
    for (const auto& job : spec.jobs()) take(job.spec().container());
    if (in_memory) add_secrets_of_builds(sources);
    if (sources.empty()) return;
    yaml_.key(key);
    yaml_.begin_map();
    for (const auto& [name, file] : sources) {
      yaml_.key(name);
      yaml_.begin_map();
      const auto& origin = file.origin();
      if (origin.starts_with("file:")) yaml_.field("file", origin.substr(5));
      if (origin.starts_with("environment:")) yaml_.field("environment", origin.substr(12));
      if (origin == "content") {
        yaml_.key("content");
        yaml_.literal(file.content());
      }
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void models(const v1::StackSpec& spec) {
    if (spec.models().empty()) return;
    yaml_.key("models");
    yaml_.begin_map();
    for (const auto& model : spec.models()) {
      yaml_.key(model.name());
      yaml_.begin_map();
      yaml_.field("model", model.spec().model());
      yaml_.number_if("context_size", model.spec().context_size());
      yaml_.list_if("runtime_flags", model.spec().runtime_flags());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  const std::vector<BuildSpec>& builds_;
  RenderWriter yaml_;
};

}  // namespace

std::string render(const std::string& name, const v1::StackSpec& spec, const std::vector<BuildSpec>& builds) {
  return Renderer(builds).run(name, spec);
}

}  // namespace orchion::spec
