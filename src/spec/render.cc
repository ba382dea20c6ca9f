#include "spec/render.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
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

  // Of other stacks, as attachments name them.
  static std::set<std::string> externals_of(const v1::StackSpec& spec) {
    std::set<std::string> names;
    const auto take = [&](const auto& named) {
      for (const auto& attachment : named.spec().container().networks())
        if (attachment.network().find('/') != std::string::npos) names.insert(attachment.network());
    };
    std::ranges::for_each(spec.services(), take);
    std::ranges::for_each(spec.jobs(), take);
    return names;
  }

  void networks(const v1::StackSpec& spec) {
    const auto externals = externals_of(spec);
    if (spec.networks().empty() && externals.empty()) return;
    yaml_.key("networks");
    yaml_.begin_map();
    for (const auto& named : spec.networks()) {
      yaml_.key(named.name());
      network(named.spec());
    }
    for (const auto& name : externals) {
      yaml_.key(local_network_name(name));
      yaml_.begin_map();
      yaml_.flag("external", true);
      yaml_.field("name", name);
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void network(const v1::NetworkSpec& network) {
    yaml_.begin_map();
    if (network.driver() == v1::MACVLAN) yaml_.field("driver", "macvlan");
    yaml_.flag("internal", network.internal());
    yaml_.flag("enable_ipv6", network.enable_ipv6());
    yaml_.labels(network.labels());
    if (network.mtu() != 0 || !network.parent().empty()) {
      yaml_.key("driver_opts");
      yaml_.begin_map();
      yaml_.field("parent", network.parent());
      yaml_.number_if("com.docker.network.driver.mtu", network.mtu());
      yaml_.end_map();
    }
    if (!network.subnet().empty() || !network.subnet6().empty()) ipam(network);
    yaml_.end_map();
  }

  void ipam(const v1::NetworkSpec& network) {
    const auto range = [this](const std::string& subnet, const std::string& gateway, const std::string& part) {
      if (subnet.empty()) return;
      yaml_.begin_map();
      yaml_.field("subnet", subnet);
      yaml_.field("gateway", gateway);
      yaml_.field("ip_range", part);
      yaml_.end_map();
    };
    yaml_.key("ipam");
    yaml_.begin_map();
    yaml_.key("config");
    yaml_.begin_list();
    range(network.subnet(), network.gateway(), network.address_range());
    range(network.subnet6(), "", "");
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
