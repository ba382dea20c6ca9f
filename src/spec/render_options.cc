// What few services have, as a Compose file says it.

#include <vector>

#include "core/cdi_name.h"
#include "core/shared_network.h"
#include "core/validation.h"
#include "spec/render_service.h"

namespace orchion::spec {

namespace {

class OptionsRenderer {
 public:
  explicit OptionsRenderer(RenderWriter& yaml) : yaml_(yaml) {}

  void run(const v1::ContainerSpec& container) {
    isolation(container);
    names(container);
    figures(container);
    if (container.has_health_check() && !is_probe(container.health_check())) health_check(container.health_check());
    if (container.log_bytes_max() != 0) logging(container.log_bytes_max());
  }

 private:
  void host_mode(std::string_view key, v1::NamespaceMode mode) {
    if (mode == v1::OF_HOST) yaml_.field(key, "host");
  }

  void isolation(const v1::ContainerSpec& container) {
    yaml_.flag("read_only", container.read_only_root());
    yaml_.flag("init", container.init());
    yaml_.flag("privileged", container.privileged());
    yaml_.list_if("cap_add", container.cap_add());
    yaml_.list_if("cap_drop", container.cap_drop());
    std::vector<std::string> options;
    if (container.may_gain_privileges()) options.emplace_back("no-new-privileges=false");
    if (container.no_seccomp()) options.emplace_back("seccomp=unconfined");
    if (container.no_masked_paths()) options.emplace_back("systempaths=unconfined");
    yaml_.list_if("security_opt", options);
    host_mode("ipc", container.ipc());
    host_mode("pid", container.pid());
    host_mode("uts", container.uts());
    host_mode("cgroup", container.cgroup_namespace());
    if (container.user_namespace() == v1::USERS_AUTO) yaml_.field("userns_mode", "auto");
    yaml_.list_if("group_add", container.group_add());
    yaml_.number_if("oom_score_adj", container.oom_score_adj());
    yaml_.pairs("sysctls", container.sysctls());
    yaml_.list_if("device_cgroup_rules", container.device_rules());
    devices(container);
    render_gpus(container, yaml_);
    if (container.ulimits().empty()) return;
    yaml_.key("ulimits");
    yaml_.begin_map();
    for (const auto& limit : container.ulimits()) {
      yaml_.key(limit.name());
      yaml_.begin_map();
      yaml_.number("soft", limit.soft());
      yaml_.number("hard", limit.hard());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void devices(const v1::ContainerSpec& container) {
    if (container.devices().empty()) return;
    yaml_.key("devices");
    yaml_.begin_list();
    for (const auto& device : container.devices()) {
      if (core::is_cdi_name(device.source())) {
        yaml_.literal(device.source());
        continue;
      }
      yaml_.begin_map();
      yaml_.field("source", device.source());
      yaml_.field("target", device.target());
      yaml_.field("permissions", device.permissions());
      yaml_.end_map();
    }
    yaml_.end_list();
  }

  void names(const v1::ContainerSpec& container) {
    if (container.network_mode() == v1::NO_NETWORK) yaml_.field("network_mode", "none");
    if (core::shares_network(container)) yaml_.field("network_mode", "service:" + container.network_service());
    // A program of the node is in its network without saying so.
    if (container.network_mode() == v1::HOST_NETWORK && container.executor() != core::kProcessExecutor)
      yaml_.field("network_mode", "host");
    yaml_.field("runtime", container.oci_runtime());
    yaml_.field("domainname", container.domainname());
    yaml_.list_if("dns", container.dns().values());
    yaml_.list_if("dns_search", container.dns_search().values());
    yaml_.list_if("dns_opt", container.dns_options());
    yaml_.list_if("extra_hosts", container.extra_hosts());
    yaml_.pairs("annotations", container.annotations());
  }

  void figures(const v1::ContainerSpec& container) {
    yaml_.number_if("shm_size", container.shm_bytes());
    yaml_.number_if("memswap_limit", container.memory_swap_bytes());
    yaml_.number_if("cpu_shares", static_cast<std::int64_t>(container.cpu_shares()));
    yaml_.field("cpuset", container.cpuset());
    if (!container.has_block_io()) return;
    const auto& io = container.block_io();
    yaml_.key("blkio_config");
    yaml_.begin_map();
    yaml_.number_if("weight", io.weight());
    rates("weight_device", "weight", io.weights());
    rates("device_read_bps", "rate", io.read_bytes());
    rates("device_read_iops", "rate", io.read_operations());
    rates("device_write_bps", "rate", io.write_bytes());
    rates("device_write_iops", "rate", io.write_operations());
    yaml_.end_map();
  }

  void rates(std::string_view key, std::string_view figure,
             const google::protobuf::RepeatedPtrField<v1::BlockDeviceRate>& rates) {
    if (rates.empty()) return;
    yaml_.key(key);
    yaml_.begin_list();
    for (const auto& rate : rates) {
      yaml_.begin_map();
      yaml_.field("path", rate.path());
      yaml_.number(figure, static_cast<std::int64_t>(rate.rate()));
      yaml_.end_map();
    }
    yaml_.end_list();
  }

  void health_check(const v1::HealthCheck& check) {
    yaml_.key("healthcheck");
    yaml_.begin_map();
    yaml_.flag("disable", check.disabled());
    yaml_.list_if("test", check.test().values());
    render_check_figures(check, yaml_);
    yaml_.end_map();
  }

  void logging(std::int64_t bytes) {
    yaml_.key("logging");
    yaml_.begin_map();
    yaml_.key("options");
    yaml_.begin_map();
    yaml_.field("max-size", std::to_string(bytes));
    yaml_.end_map();
    yaml_.end_map();
  }

  RenderWriter& yaml_;
};

}  // namespace

void render_options(const v1::ContainerSpec& container, RenderWriter& yaml) {
  OptionsRenderer(yaml).run(container);
}

}  // namespace orchion::spec
