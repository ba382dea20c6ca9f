#include "spec/render.h"

#include <map>

#include <fmt/core.h>

#include "spec/yaml_writer.h"

namespace orchion::spec {

namespace {

// What comes out of a file is taken literally when it goes in again.
std::string escape_variables(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

std::string duration_text(const google::protobuf::Duration& duration) {
  std::string out = duration.seconds() != 0 || duration.nanos() == 0 ? fmt::format("{}s", duration.seconds()) : "";
  if (duration.nanos() != 0) out += fmt::format("{}ns", duration.nanos());
  return out;
}

std::string cores_text(std::int64_t nano_cpus) {
  return fmt::format("{}", static_cast<double>(nano_cpus) / 1e9);
}

class Renderer {
 public:
  std::string run(const std::string& name, const v1::StackSpec& spec) {
    yaml_.begin_map();
    field("name", name);
    yaml_.key("services");
    yaml_.begin_map();
    for (const auto& named : spec.services()) service(named);
    yaml_.end_map();
    networks(spec);
    volumes(spec);
    yaml_.end_map();
    return yaml_.take();
  }

 private:
  void text(const std::string& value) { yaml_.text(escape_variables(value)); }
  void field(std::string_view key, const std::string& value) {
    if (value.empty()) return;
    yaml_.key(key);
    text(value);
  }
  void flag(std::string_view key, bool value) {
    if (!value) return;
    yaml_.key(key);
    yaml_.plain("true");
  }
  void number(std::string_view key, std::int64_t value) {
    yaml_.key(key);
    yaml_.plain(std::to_string(value));
  }
  template <class Strings>
  void list(std::string_view key, const Strings& values) {
    yaml_.key(key);
    yaml_.begin_list();
    for (const auto& value : values) text(value);
    yaml_.end_list();
  }
  void labels(const google::protobuf::Map<std::string, std::string>& labels) {
    if (labels.empty()) return;
    const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
    yaml_.key("labels");
    yaml_.begin_map();
    for (const auto& [key, value] : sorted) {
      yaml_.key(key);
      text(value);
    }
    yaml_.end_map();
  }

  void service(const v1::NamedService& named) {
    const auto& spec = named.spec();
    const auto& container = spec.container();
    yaml_.key(named.name());
    yaml_.begin_map();
    field("image", container.image());
    if (container.has_entrypoint()) list("entrypoint", container.entrypoint().values());
    if (container.has_command()) list("command", container.command().values());
    environment(container);
    ports(container);
    mounts(container);
    attachments(container);
    dependencies(spec);
    deploy(spec);
    restart(spec.restart());
    labels(container.labels());
    field("user", container.user());
    field("working_dir", container.working_dir());
    field("hostname", container.hostname());
    field("stop_signal", container.stop_signal());
    if (container.has_stop_grace_period()) field("stop_grace_period", duration_text(container.stop_grace_period()));
    flag("tty", container.tty());
    flag("stdin_open", container.stdin_open());
    flag("read_only", container.read_only_root());
    if (!container.cap_add().empty()) list("cap_add", container.cap_add());
    if (!container.cap_drop().empty()) list("cap_drop", container.cap_drop());
    yaml_.end_map();
  }

  void environment(const v1::ContainerSpec& container) {
    if (container.environment().empty()) return;
    yaml_.key("environment");
    yaml_.begin_map();
    for (const auto& variable : container.environment()) {
      yaml_.key(variable.name());
      text(variable.value());
    }
    yaml_.end_map();
  }

  void ports(const v1::ContainerSpec& container) {
    if (container.ports().empty()) return;
    yaml_.key("ports");
    yaml_.begin_list();
    for (const auto& port : container.ports()) {
      yaml_.begin_map();
      number("target", port.container_port());
      if (port.host_port() != 0) field("published", std::to_string(port.host_port()));
      field("host_ip", port.host_ip());
      field("protocol", port.protocol());
      yaml_.end_map();
    }
    yaml_.end_list();
  }

  void mounts(const v1::ContainerSpec& container) {
    if (container.mounts().empty()) return;
    yaml_.key("volumes");
    yaml_.begin_list();
    for (const auto& mount : container.mounts()) this->mount(mount);
    yaml_.end_list();
  }

  void mount(const v1::Mount& mount) {
    yaml_.begin_map();
    const bool bind = mount.type() == v1::Mount::BIND;
    field("type", bind ? "bind" : mount.type() == v1::Mount::TMPFS ? "tmpfs" : "volume");
    field("source", mount.source());
    field("target", mount.target());
    flag("read_only", mount.read_only());
    if (bind) {
      yaml_.key("bind");
      yaml_.begin_map();
      yaml_.key("create_host_path");
      yaml_.plain(mount.create_host_path() ? "true" : "false");
      yaml_.end_map();
    }
    if (mount.tmpfs_bytes() != 0) {
      yaml_.key("tmpfs");
      yaml_.begin_map();
      number("size", mount.tmpfs_bytes());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void attachments(const v1::ContainerSpec& container) {
    if (container.networks().empty()) return;
    yaml_.key("networks");
    yaml_.begin_map();
    for (const auto& attachment : container.networks()) {
      yaml_.key(attachment.network());
      yaml_.begin_map();
      if (!attachment.aliases().empty()) list("aliases", attachment.aliases());
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
      field("condition", completed ? "service_completed_successfully" : "service_started");
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void amounts(std::string_view key, const v1::Resources& resources) {
    if (resources.ByteSizeLong() == 0) return;
    yaml_.key(key);
    yaml_.begin_map();
    if (resources.nano_cpus() != 0) field("cpus", cores_text(resources.nano_cpus()));
    if (resources.memory_bytes() != 0) field("memory", std::to_string(resources.memory_bytes()));
    if (resources.pids() != 0) number("pids", resources.pids());
    yaml_.end_map();
  }

  void deploy(const v1::ServiceSpec& spec) {
    yaml_.key("deploy");
    yaml_.begin_map();
    number("replicas", spec.replicas());
    labels(spec.labels());
    const auto& container = spec.container();
    if (container.limits().ByteSizeLong() + container.reservations().ByteSizeLong() != 0) {
      yaml_.key("resources");
      yaml_.begin_map();
      amounts("limits", container.limits());
      amounts("reservations", container.reservations());
      yaml_.end_map();
    }
    if (needs_long_restart(spec.restart())) {
      yaml_.key("restart_policy");
      yaml_.begin_map();
      field("condition", "any");
      number("max_attempts", spec.restart().max_attempts());
      yaml_.end_map();
    }
    if (!spec.constraints().empty()) {
      yaml_.key("placement");
      yaml_.begin_map();
      list("constraints", spec.constraints());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  // `restart` itself counts attempts for on-failure only.
  static bool needs_long_restart(const v1::RestartPolicy& policy) {
    return policy.condition() == v1::RestartPolicy::ALWAYS && policy.max_attempts() != 0;
  }

  void restart(const v1::RestartPolicy& policy) {
    if (needs_long_restart(policy)) return;
    switch (policy.condition()) {
      case v1::RestartPolicy::NO: return field("restart", "no");
      case v1::RestartPolicy::ALWAYS: return field("restart", "always");
      case v1::RestartPolicy::UNLESS_STOPPED: return field("restart", "unless-stopped");
      case v1::RestartPolicy::ON_FAILURE:
        return field("restart", policy.max_attempts() == 0 ? std::string("on-failure")
                                                           : fmt::format("on-failure:{}", policy.max_attempts()));
      default: return;
    }
  }

  void networks(const v1::StackSpec& spec) {
    if (spec.networks().empty()) return;
    yaml_.key("networks");
    yaml_.begin_map();
    for (const auto& network : spec.networks()) {
      yaml_.key(network.name());
      yaml_.begin_map();
      flag("internal", network.spec().internal());
      labels(network.spec().labels());
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
    field("subnet", subnet);
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
      labels(volume.spec().labels());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  YamlWriter yaml_;
};

}  // namespace

std::string render(const std::string& name, const v1::StackSpec& spec) {
  return Renderer().run(name, spec);
}

}  // namespace orchion::spec
