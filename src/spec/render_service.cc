#include "spec/render_service.h"

#include <algorithm>
#include <vector>

#include "spec/choices.h"

namespace orchion::spec {

namespace {

std::string cores_text(std::int64_t nano_cpus) {
  return fmt::format("{}", static_cast<double>(nano_cpus) / 1e9);
}

class ServiceRenderer {
 public:
  explicit ServiceRenderer(RenderWriter& yaml) : yaml_(yaml) {}

  void run(const v1::NamedService& named, const BuildSpec* build) {
    yaml_.key(named.name());
    yaml_.begin_map();
    common(named.spec(), build);
    restart(named.spec().restart());
    orchion(named.spec());
    yaml_.end_map();
  }

  void run_part(const v1::ServiceSpec& spec) {
    of_job_ = true;
    common(spec, nullptr);
  }

 private:
  void common(const v1::ServiceSpec& spec, const BuildSpec* build) {
    const auto& container = spec.container();
    yaml_.field("image", container.image());
    if (build != nullptr) render_build(*build, yaml_);
    pull_policy(container, build);
    if (container.has_entrypoint()) yaml_.list("entrypoint", container.entrypoint().values());
    if (container.has_command()) yaml_.list("command", container.command().values());
    environment(container);
    ports(container);
    mounts(container);
    attachments(container);
    dependencies(spec);
    deploy(spec);
    yaml_.labels(container.labels());
    yaml_.field("user", container.user());
    yaml_.field("working_dir", container.working_dir());
    yaml_.field("hostname", container.hostname());
    yaml_.field("stop_signal", container.stop_signal());
    yaml_.duration("stop_grace_period", container.has_stop_grace_period(), container.stop_grace_period());
    yaml_.flag("tty", container.tty());
    yaml_.flag("stdin_open", container.stdin_open());
    render_options(container, yaml_);
    files("secrets", container, true);
    files("configs", container, false);
    models(spec);
  }

  // A service that is built has one that goes without saying.
  void pull_policy(const v1::ContainerSpec& container, const BuildSpec* build) {
    if (build != nullptr && build->when == BuildSpec::When::kMissing) return;
    if (build != nullptr && build->when == BuildSpec::When::kAlways) return yaml_.field("pull_policy", "build");
    if (container.pull_policy() == v1::PULL_ALWAYS) yaml_.field("pull_policy", "always");
    if (container.pull_policy() == v1::PULL_NEVER) yaml_.field("pull_policy", "never");
  }

  void files(std::string_view key, const v1::ContainerSpec& container, bool in_memory) {
    const auto wanted = [&](const v1::FileMount& file) { return file.in_memory() == in_memory; };
    if (std::ranges::none_of(container.files(), wanted)) return;
    yaml_.key(key);
    yaml_.begin_list();
    for (const auto& file : container.files()) {
      if (!wanted(file)) continue;
      yaml_.begin_map();
      yaml_.field("source", file.name());
      yaml_.field("target", file.target());
      yaml_.field("uid", file.uid());
      yaml_.field("gid", file.gid());
      if (file.mode() != 0) yaml_.field("mode", fmt::format("0{:o}", file.mode()));
      yaml_.end_map();
    }
    yaml_.end_list();
  }

  void models(const v1::ServiceSpec& spec) {
    if (spec.models().empty()) return;
    yaml_.key("models");
    yaml_.begin_map();
    for (const auto& binding : spec.models()) {
      yaml_.key(binding.model());
      yaml_.begin_map();
      yaml_.field("endpoint_var", binding.endpoint_variable());
      yaml_.field("model_var", binding.model_variable());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void environment(const v1::ContainerSpec& container) {
    if (container.environment().empty()) return;
    yaml_.key("environment");
    yaml_.begin_map();
    for (const auto& variable : container.environment()) {
      yaml_.key(variable.name());
      yaml_.literal(variable.value());
    }
    yaml_.end_map();
  }

  void ports(const v1::ContainerSpec& container) {
    if (container.ports().empty()) return;
    yaml_.key("ports");
    yaml_.begin_list();
    for (const auto& port : container.ports()) {
      yaml_.begin_map();
      yaml_.number("target", port.container_port());
      if (port.host_port() != 0) yaml_.field("published", std::to_string(port.host_port()));
      yaml_.field("host_ip", port.host_ip());
      yaml_.field("protocol", port.protocol());
      if (port.host_only()) yaml_.field("mode", "host");
      yaml_.end_map();
    }
    yaml_.end_list();
  }

  void mounts(const v1::ContainerSpec& container) {
    std::vector<std::string> tmpfs;
    for (const auto& mount : container.mounts())
      if (!mount.tmpfs_options().empty()) tmpfs.push_back(tmpfs_text(mount));
    if (static_cast<int>(tmpfs.size()) < container.mounts_size()) {
      yaml_.key("volumes");
      yaml_.begin_list();
      for (const auto& mount : container.mounts())
        if (mount.tmpfs_options().empty()) this->mount(mount);
      yaml_.end_list();
    }
    yaml_.list_if("tmpfs", tmpfs);
  }

  void mount(const v1::Mount& mount) {
    yaml_.begin_map();
    const bool bind = mount.type() == v1::Mount::BIND;
    yaml_.field("type", bind ? "bind" : mount.type() == v1::Mount::TMPFS ? "tmpfs" : "volume");
    yaml_.field("source", mount.source());
    yaml_.field("target", mount.target());
    yaml_.flag("read_only", mount.read_only());
    if (bind) {
      yaml_.key("bind");
      yaml_.begin_map();
      yaml_.key("create_host_path");
      yaml_.plain(mount.create_host_path() ? "true" : "false");
      yaml_.field("propagation", mount.propagation());
      if (mount.not_recursive()) yaml_.field("recursive", "disabled");
      yaml_.end_map();
    }
    if (mount.tmpfs_bytes() != 0 || mount.tmpfs_mode() != 0) {
      yaml_.key("tmpfs");
      yaml_.begin_map();
      yaml_.number_if("size", mount.tmpfs_bytes());
      if (mount.tmpfs_mode() != 0) yaml_.field("mode", fmt::format("0{:o}", mount.tmpfs_mode()));
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  // In its short form, which alone has such options.
  static std::string tmpfs_text(const v1::Mount& mount) {
    std::string options;
    const auto add = [&](const std::string& option) { options += (options.empty() ? ":" : ",") + option; };
    if (mount.tmpfs_bytes() != 0) add(fmt::format("size={}", mount.tmpfs_bytes()));
    if (mount.tmpfs_mode() != 0) add(fmt::format("mode=0{:o}", mount.tmpfs_mode()));
    if (mount.read_only()) add("ro");
    for (const auto& option : mount.tmpfs_options()) add(option);
    return mount.target() + options;
  }

  void attachments(const v1::ContainerSpec& container) {
    if (container.networks().empty()) return;
    yaml_.key("networks");
    yaml_.begin_map();
    for (const auto& attachment : container.networks()) {
      yaml_.key(local_network_name(attachment.network()));
      yaml_.begin_map();
      if (!attachment.aliases().empty()) yaml_.list("aliases", attachment.aliases());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void dependencies(const v1::ServiceSpec& spec) {
    if (spec.depends_on().empty()) return;
    yaml_.key("depends_on");
    yaml_.begin_map();
    for (const auto& dependency : spec.depends_on()) {
      yaml_.key(dependency.service());
      yaml_.begin_map();
      const bool completed = dependency.condition() == v1::Dependency::COMPLETED_SUCCESSFULLY;
      const bool healthy = dependency.condition() == v1::Dependency::HEALTHY;
      yaml_.field("condition", completed ? "service_completed_successfully"
                               : healthy ? "service_healthy"
                                         : "service_started");
      if (dependency.optional()) {
        yaml_.key("required");
        yaml_.plain("false");
      }
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void amounts(std::string_view key, const v1::Resources& resources) {
    if (resources.ByteSizeLong() == 0) return;
    yaml_.key(key);
    yaml_.begin_map();
    if (resources.nano_cpus() != 0) yaml_.field("cpus", cores_text(resources.nano_cpus()));
    if (resources.memory_bytes() != 0) yaml_.field("memory", std::to_string(resources.memory_bytes()));
    if (resources.pids() != 0) yaml_.number("pids", resources.pids());
    yaml_.end_map();
  }

  static bool says_where(const v1::ServiceSpec& spec) {
    const auto& rules = spec.placement();
    return !spec.constraints().empty() || !rules.spread_over().empty() || rules.tasks_per_node_max() > 0;
  }

  void placement(const v1::ServiceSpec& spec) {
    if (!says_where(spec)) return;
    const auto& rules = spec.placement();
    yaml_.key("placement");
    yaml_.begin_map();
    if (!spec.constraints().empty()) yaml_.list("constraints", spec.constraints());
    if (!rules.spread_over().empty()) {
      yaml_.key("preferences");
      yaml_.begin_list();
      for (const auto& label : rules.spread_over()) {
        yaml_.begin_map();
        yaml_.field("spread", label);
        yaml_.end_map();
      }
      yaml_.end_list();
    }
    yaml_.number_if("max_replicas_per_node", rules.tasks_per_node_max());
    yaml_.end_map();
  }

  void deploy(const v1::ServiceSpec& spec) {
    const auto& container = spec.container();
    const bool has_resources = container.limits().ByteSizeLong() + container.reservations().ByteSizeLong() != 0;
    if (of_job_ && !has_resources && spec.labels().empty() && !says_where(spec)) return;
    yaml_.key("deploy");
    yaml_.begin_map();
    if (!of_job_) yaml_.number("replicas", spec.replicas());
    if (spec.endpoint_mode() == v1::TASK_ADDRESSES) yaml_.field("endpoint_mode", "dnsrr");
    yaml_.labels(spec.labels());
    if (has_resources) {
      yaml_.key("resources");
      yaml_.begin_map();
      amounts("limits", container.limits());
      amounts("reservations", container.reservations());
      yaml_.end_map();
    }
    if (needs_long_restart(spec.restart())) {
      yaml_.key("restart_policy");
      yaml_.begin_map();
      const auto condition = spec.restart().condition();
      yaml_.field("condition", condition == v1::RestartPolicy::NO           ? "none"
                               : condition == v1::RestartPolicy::ON_FAILURE ? "on-failure"
                                                                            : "any");
      yaml_.number_if("max_attempts", spec.restart().max_attempts());
      yaml_.duration("delay", spec.restart().has_delay(), spec.restart().delay());
      yaml_.end_map();
    }
    placement(spec);
    yaml_.end_map();
  }

  static bool has_rules(const v1::PlacementRules& rules) {
    return rules.has_strategy() || rules.together() || !rules.tolerations().empty() || !rules.affinities().empty();
  }

  void orchion(const v1::ServiceSpec& spec) {
    const auto on_node_loss = spec.on_node_loss();
    const auto& executor = spec.container().executor();
    const bool has_probes = needs_probes(spec.container());
    const bool recovers = spec.recovery().action() != v1::Recovery::RESTART;
    if (on_node_loss == v1::ON_NODE_LOSS_UNSPECIFIED && executor.empty() && !has_probes && !recovers &&
        !has_rules(spec.placement()) && spec.routes().empty() && !has_own_gpus(spec.container()))
      return;
    const char* word = on_node_loss == v1::FENCE ? "fence" : on_node_loss == v1::WAIT ? "wait" : "replace";
    yaml_.key("x-orchion");
    yaml_.begin_map();
    if (on_node_loss != v1::ON_NODE_LOSS_UNSPECIFIED) yaml_.field("on_node_loss", word);
    yaml_.field("executor", executor);
    if (spec.placement().has_strategy()) yaml_.field("placement", placement_word(spec.placement().strategy()));
    render_placement_rules(spec.placement(), yaml_);
    render_own_gpus(spec.container(), yaml_);
    if (has_probes) render_probes(spec.container(), yaml_);
    if (recovers) recovery(spec.recovery());
    if (!spec.routes().empty()) render_routes(spec, yaml_);
    yaml_.end_map();
  }

  void recovery(const v1::Recovery& recovery) {
    if (recovery.action() != v1::Recovery::RUN_COMMAND) {
      const bool moves = recovery.action() == v1::Recovery::MOVE;
      return yaml_.field("recovery", moves                                         ? "move"
                                     : recovery.action() == v1::Recovery::RECREATE ? "recreate"
                                                                                   : "nothing");
    }
    yaml_.key("recovery");
    yaml_.begin_map();
    yaml_.list("command", recovery.command());
    yaml_.end_map();
  }

  // `restart` itself counts attempts for on-failure only.
  static bool needs_long_restart(const v1::RestartPolicy& policy) {
    return policy.has_delay() || (policy.condition() == v1::RestartPolicy::ALWAYS && policy.max_attempts() != 0);
  }

  void restart(const v1::RestartPolicy& policy) {
    if (needs_long_restart(policy)) return;
    switch (policy.condition()) {
      case v1::RestartPolicy::NO: return yaml_.field("restart", "no");
      case v1::RestartPolicy::ALWAYS: return yaml_.field("restart", "always");
      case v1::RestartPolicy::UNLESS_STOPPED: return yaml_.field("restart", "unless-stopped");
      case v1::RestartPolicy::ON_FAILURE:
        return yaml_.field("restart", policy.max_attempts() == 0 ? std::string("on-failure")
                                                                 : fmt::format("on-failure:{}", policy.max_attempts()));
      default: return;
    }
  }

  RenderWriter& yaml_;
  bool of_job_ = false;
};

}  // namespace

std::string local_network_name(std::string network) {
  std::ranges::replace(network, '/', '_');
  return network;
}

namespace {

void render_neighbours(const v1::PlacementRules& rules, bool away, RenderWriter& yaml) {
  if (std::ranges::none_of(rules.affinities(), [&](const auto& affinity) { return affinity.away() == away; })) return;
  yaml.key(away ? "away_from" : "near");
  yaml.begin_list();
  for (const auto& affinity : rules.affinities()) {
    if (affinity.away() != away) continue;
    yaml.begin_map();
    yaml.field("service", affinity.service());
    yaml.field("over", affinity.domain());
    yaml.flag("preferred", affinity.preferred());
    yaml.end_map();
  }
  yaml.end_list();
}

}  // namespace

void render_placement_rules(const v1::PlacementRules& rules, RenderWriter& yaml) {
  std::vector<std::string> texts;
  for (const auto& toleration : rules.tolerations())
    texts.push_back((toleration.key().empty() ? "*" : toleration.key()) +
                    (toleration.value().empty() ? "" : "=" + toleration.value()));
  yaml.list_if("tolerations", texts);
  render_neighbours(rules, false, yaml);
  render_neighbours(rules, true, yaml);
  yaml.flag("together", rules.together());
}

void render_service(const v1::NamedService& service, const BuildSpec* build, RenderWriter& yaml) {
  ServiceRenderer(yaml).run(service, build);
}

void render_service_part(const v1::ServiceSpec& spec, RenderWriter& yaml) {
  ServiceRenderer(yaml).run_part(spec);
}

}  // namespace orchion::spec
