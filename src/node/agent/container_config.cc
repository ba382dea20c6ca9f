#include "node/agent/container_config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "core/defaults.h"

namespace orchion::node::agent {

namespace {

constexpr std::string_view kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> list_of(const v1::StringList& list) {
  return {list.values().begin(), list.values().end()};
}

// An entrypoint that is set drops the image's command too.
// Source: https://github.com/compose-spec/compose-spec/blob/main/05-services.md#entrypoint
std::vector<std::string> arguments(const v1::ContainerSpec& spec, const images::ImageConfig& image) {
  auto result = spec.has_entrypoint() ? list_of(spec.entrypoint()) : image.entrypoint;
  std::vector<std::string> command;
  if (spec.has_command()) {
    command = list_of(spec.command());
  } else if (!spec.has_entrypoint()) {
    command = image.command;
  }
  result.insert(result.end(), command.begin(), command.end());
  return result;
}

// Later settings replace earlier ones in place, so that the order stays that of first mention.
void set_variable(std::vector<std::string>& environment, std::string setting) {
  const std::string prefix = setting.substr(0, setting.find('=')) + "=";
  const auto same_name = [&](const std::string& entry) { return entry.starts_with(prefix); };
  const auto found = std::find_if(environment.begin(), environment.end(), same_name);
  if (found != environment.end()) {
    *found = std::move(setting);
  } else {
    environment.push_back(std::move(setting));
  }
}

std::vector<std::string> environment(const v1::ContainerSpec& spec, const images::ImageConfig& image,
                                     const std::string& hostname) {
  std::vector<std::string> result;
  set_variable(result, std::string(kDefaultPath));
  set_variable(result, "HOSTNAME=" + hostname);
  if (spec.tty()) set_variable(result, "TERM=xterm");
  for (const auto& setting : image.environment) set_variable(result, setting);
  for (const auto& variable : spec.environment()) set_variable(result, variable.name() + "=" + variable.value());
  return result;
}

std::string first_non_empty(std::string first, std::string second, std::string third = "") {
  if (!first.empty()) return first;
  return second.empty() ? third : second;
}

const v1::NetworkAssignment* find_network(const ContainerInputs& inputs, const std::string& uid) {
  const auto found = std::find_if(inputs.networks.begin(), inputs.networks.end(),
                                  [&](const v1::NetworkAssignment& network) { return network.uid() == uid; });
  return found == inputs.networks.end() ? nullptr : &*found;
}

// Where the task has its machine: the gateway of its first routed network, or where tasks without one have it. Empty:
// of none of its networks anything is known.
std::string machine_for(const ContainerInputs& inputs) {
  std::string machine;
  for (const auto& address : inputs.assignment.task().spec().assignment().addresses()) {
    const auto* network = find_network(inputs, address.network_uid());
    if (network != nullptr && network->driver() == v1::ROUTED) return network->gateway();
    if (network != nullptr) machine = networks::kNamesGateway;
  }
  return machine;
}

std::vector<std::string> strings(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return {list.begin(), list.end()};
}

// "." alone asks for no search at all.
void add_search_domains(runtimes::ContainerConfig& config, const v1::ContainerSpec& spec, const std::string& own) {
  const auto wanted = list_of(spec.dns_search());
  if (wanted.size() == 1 && wanted.front() == ".") return;
  if (!own.empty()) config.search_domains.push_back(own);
  config.search_domains.insert(config.search_domains.end(), wanted.begin(), wanted.end());
}

// What the service says about names, beside the cluster's own.
void add_own_names(runtimes::ContainerConfig& config, const v1::ContainerSpec& spec, const std::string& gateway) {
  constexpr std::string_view kHostGateway = "host-gateway";
  for (auto& server : list_of(spec.dns())) config.nameservers.push_back(std::move(server));
  config.dns_options = strings(spec.dns_options());
  config.domainname = spec.domainname();
  for (const auto& entry : spec.extra_hosts()) {
    const auto equals = entry.find('=');
    auto address = equals == std::string::npos ? std::string() : entry.substr(equals + 1);
    if (address == kHostGateway) address = gateway.empty() ? "127.0.0.1" : gateway;
    config.extra_hosts.emplace_back(entry.substr(0, equals), std::move(address));
  }
}

void add_names(runtimes::ContainerConfig& config, const ContainerInputs& inputs) {
  const auto& task = inputs.assignment.task();
  const auto& addresses = task.spec().assignment().addresses();
  const auto& spec = inputs.assignment.container();
  if (addresses.empty()) {
    if (!config.hostname.empty()) config.hosts[config.hostname] = "127.0.0.1";
    add_own_names(config, spec, "");
    add_search_domains(config, spec, "");
    return;
  }
  config.hosts[config.hostname] = addresses[0].address();
  const auto gateway = machine_for(inputs);
  if (!gateway.empty()) {
    config.nameservers.push_back(gateway);
    config.hosts["host.docker.internal"] = gateway;
  }
  add_own_names(config, spec, gateway);
  add_search_domains(config, spec, task.meta().stack() + ".orchion.internal");
}

std::optional<std::uint32_t> number_of(const std::string& text) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && !text.empty() ? std::optional(number) : std::nullopt;
}

void add_files(runtimes::ContainerConfig& config, const v1::ContainerSpec& spec) {
  for (const auto& file : spec.files())
    config.files.push_back({.target = file.target(),
                            .bytes = file.content(),
                            .mode = file.mode() != 0 ? file.mode() : 0444,
                            .uid = number_of(file.uid()),
                            .gid = number_of(file.gid())});
}

void add_isolation(runtimes::ContainerConfig& config, const v1::ContainerSpec& spec) {
  config.privileges = {.everything = spec.privileged(),
                       .may_gain = spec.may_gain_privileges(),
                       .no_seccomp = spec.no_seccomp(),
                       .no_masked_paths = spec.no_masked_paths(),
                       .device_rules = strings(spec.device_rules())};
  config.host_namespaces = {.ipc = spec.ipc() == v1::OF_HOST,
                            .pid = spec.pid() == v1::OF_HOST,
                            .uts = spec.uts() == v1::OF_HOST,
                            .cgroup = spec.cgroup_namespace() == v1::OF_HOST};
  config.own_users = spec.user_namespace() == v1::USERS_AUTO;
  for (const auto& device : spec.devices())
    config.devices.push_back({device.source(), device.target(), device.permissions()});
  for (const auto& limit : spec.ulimits()) config.ulimits.push_back({limit.name(), limit.soft(), limit.hard()});
  config.sysctls = {spec.sysctls().begin(), spec.sysctls().end()};
  config.additional_groups = strings(spec.group_add());
  config.init = spec.init();
  config.shm_bytes = spec.shm_bytes();
  config.oom_score_adj = spec.oom_score_adj();
}

std::vector<runtimes::BlockDeviceRate> rates(const google::protobuf::RepeatedPtrField<v1::BlockDeviceRate>& list) {
  std::vector<runtimes::BlockDeviceRate> result;
  for (const auto& rate : list) result.push_back({rate.path(), rate.rate()});
  return result;
}

void add_limits(runtimes::ContainerConfig& config, const v1::ContainerSpec& spec) {
  config.limits = {.nano_cpus = spec.limits().nano_cpus(),
                   .memory_bytes = spec.limits().memory_bytes(),
                   .pids = spec.limits().pids(),
                   .swap_bytes = spec.memory_swap_bytes(),
                   .cpu_shares = spec.cpu_shares(),
                   .cpuset = spec.cpuset(),
                   .block_io = {.weight = spec.block_io().weight(),
                                .weights = rates(spec.block_io().weights()),
                                .read_bytes = rates(spec.block_io().read_bytes()),
                                .read_operations = rates(spec.block_io().read_operations()),
                                .write_bytes = rates(spec.block_io().write_bytes()),
                                .write_operations = rates(spec.block_io().write_operations())}};
  config.cap_add.assign(spec.cap_add().begin(), spec.cap_add().end());
  config.cap_drop.assign(spec.cap_drop().begin(), spec.cap_drop().end());
}

std::size_t depth(const std::filesystem::path& path) {
  return static_cast<std::size_t>(std::distance(path.begin(), path.end()));
}

}  // namespace

base::Result<runtimes::ContainerConfig> container_config(const ContainerInputs& inputs) {
  const auto& task = inputs.assignment.task();
  const auto& spec = inputs.assignment.container();
  const auto& image = inputs.image.config;
  runtimes::ContainerConfig config;
  config.id = task.meta().uid();
  config.image = inputs.image.digest;
  config.layers = inputs.image.layers;
  config.oci_runtime = spec.oci_runtime();
  config.arguments = arguments(spec, image);
  if (config.arguments.empty())
    return base::fail(base::Code::kInvalidArgument,
                      spec.image().empty()
                          ? "nothing says what to run: set `command:` for the service"
                          : fmt::format("the image {} names no command: set `command:` for the service", spec.image()));
  config.hostname = first_non_empty(spec.hostname(), short_name(task));
  config.environment = environment(spec, image, config.hostname);
  config.working_dir = first_non_empty(spec.working_dir(), image.working_dir, "/");
  config.user = first_non_empty(spec.user(), image.user);
  config.labels = {spec.labels().begin(), spec.labels().end()};
  config.annotations = {spec.annotations().begin(), spec.annotations().end()};
  config.mounts = inputs.mounts;
  // What lies inside another mount comes after it.
  std::stable_sort(config.mounts.begin(), config.mounts.end(),
                   [](const auto& a, const auto& b) { return depth(a.target) < depth(b.target); });
  add_limits(config, spec);
  add_isolation(config, spec);
  add_files(config, spec);
  config.read_only_root = spec.read_only_root();
  config.tty = spec.tty();
  config.stdin_open = spec.stdin_open();
  config.network_namespace = inputs.network_namespace;
  add_names(config, inputs);
  config.stop_signal = stop_signal(spec, image);
  config.stop_grace = std::chrono::duration_cast<std::chrono::milliseconds>(core::stop_grace_period(spec));
  if (inputs.log_bytes_max > 0) config.log_bytes_max = inputs.log_bytes_max;
  if (spec.log_bytes_max() > 0) config.log_bytes_max = spec.log_bytes_max();
  return config;
}

networks::TaskNetwork task_network(const v1::Task& task) {
  networks::TaskNetwork result;
  result.task_uid = task.meta().uid();
  const auto& spec = task.spec();
  result.owner = task.meta().stack() + "/" + (spec.run().empty() ? spec.service() : spec.run());
  for (const auto& address : task.spec().assignment().addresses())
    result.attachments.push_back({address.network_uid(), address.address(), address.address6()});
  for (const auto& port : task.spec().assignment().ports()) {
    if (port.host_port() == 0) continue;
    result.ports.push_back({.host_ip = port.host_ip(),
                            .host_port = static_cast<std::uint16_t>(port.host_port()),
                            .container_port = static_cast<std::uint16_t>(port.container_port()),
                            .udp = port.protocol() == "udp"});
  }
  return result;
}

std::string short_name(const v1::Task& task) {
  constexpr std::size_t kLabelMax = 63;  // RFC 1035
  const auto& spec = task.spec();
  const auto slot = std::to_string(spec.run().empty() ? spec.slot() : spec.index());
  std::string name;
  for (const char c : (spec.run().empty() ? spec.service() : spec.run()).substr(0, kLabelMax - slot.size() - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    name.push_back(std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-');
  }
  return name + "-" + slot;
}

std::optional<int> signal_number(std::string_view name) {
  if (!name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
    const int number = name.size() > 2 ? 0 : std::stoi(std::string(name));
    return number >= 1 && number < NSIG ? std::optional(number) : std::nullopt;
  }
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper.starts_with("SIG")) upper.erase(0, 3);
  for (int number = 1; number < NSIG; ++number) {
    const char* abbreviation = ::sigabbrev_np(number);
    if (abbreviation != nullptr && upper == abbreviation) return number;
  }
  return std::nullopt;
}

std::string stop_signal(const v1::ContainerSpec& spec, const images::ImageConfig& image) {
  return first_non_empty(spec.stop_signal(), image.stop_signal, "SIGTERM");
}

std::string image_reference(const v1::ContainerSpec& spec) {
  if (spec.image_digest().empty() || spec.image().find('@') != std::string::npos) return spec.image();
  return spec.image() + "@" + spec.image_digest();
}

}  // namespace orchion::node::agent
