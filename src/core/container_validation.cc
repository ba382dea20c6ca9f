// What can be wrong with one container.

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include <fmt/core.h>
#include <boost/asio/ip/address.hpp>

#include "core/naming.h"
#include "core/network_validation.h"
#include "core/quantities.h"
#include "core/validation.h"

namespace orchion::core {

namespace {

class ContainerCheck {
 public:
  ContainerCheck(const v1::ContainerSpec& container, const std::string& at, Violations& violations)
      : container_(container), at_(at), violations_(violations) {}

  void run() {
    check_executor();
    if (has_space(container_.image())) add("/image", "holds a blank");
    check_environment();
    check_mounts();
    check_ports();
    check_networks();
    check_resources();
    check_process();
    check_container_options(container_, at_, violations_);
  }

 private:
  void add(const std::string& pointer, std::string detail) {
    violations_.push_back({at_ + pointer, std::move(detail)});
  }

  void check_executor() {
    constexpr std::array kExecutors = {"", "oci", "docker", "podman", "containerd", kProcessExecutor};
    const auto& executor = container_.executor();
    if (std::find(kExecutors.begin(), kExecutors.end(), executor) == kExecutors.end())
      add("/executor", fmt::format("\"{}\" is none of oci, docker, podman, containerd, process", executor));
    if (executor == kProcessExecutor) return check_program();
    if (container_.image().empty()) add("/image", "is empty: name the image to run");
  }

  // A program of the node has the node's files and network.
  void check_program() {
    const auto refuse = [this](bool set, const char* pointer) {
      if (set) add(pointer, "means nothing to a program of the node: leave it out");
    };
    refuse(!container_.image().empty(), "/image");
    refuse(!container_.oci_runtime().empty(), "/ociRuntime");
    refuse(!container_.mounts().empty(), "/mounts");
    refuse(!container_.files().empty(), "/files");
    refuse(!container_.devices().empty(), "/devices");
    refuse(container_.read_only_root(), "/readOnlyRoot");
    refuse(container_.privileged(), "/privileged");
    refuse(!container_.sysctls().empty(), "/sysctls");
    refuse(!container_.extra_hosts().empty(), "/extraHosts");
    if (container_.network_mode() != v1::HOST_NETWORK)
      add("/networkMode", "must be HOST_NETWORK: a program of the node is in its network");
    if (!container_.has_command() && !container_.has_entrypoint())
      add("/command", "is empty: name the program and its arguments");
  }

  static bool has_space(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) || c < ' '; });
  }

  static bool is_absolute(std::string_view path) {
    return path.starts_with('/') && path.find('\0') == std::string_view::npos;
  }

  void check_environment() {
    std::set<std::string> names;
    for (int i = 0; i < container_.environment_size(); ++i) {
      const auto& variable = container_.environment(i);
      const std::string pointer = fmt::format("/environment/{}/name", i);
      if (variable.name().empty() || variable.name().find('=') != std::string::npos ||
          variable.name().find('\0') != std::string::npos)
        add(pointer, "is no name of a variable: it must not be empty nor hold '='");
      if (!names.insert(variable.name()).second) add(pointer, fmt::format("sets {} a second time", variable.name()));
      if (variable.value().find('\0') != std::string::npos)
        add(fmt::format("/environment/{}/value", i), "holds a zero byte");
    }
  }

  void check_mounts() {
    std::set<std::string> targets;
    for (int i = 0; i < container_.mounts_size(); ++i) {
      const auto& mount = container_.mounts(i);
      const std::string pointer = fmt::format("/mounts/{}", i);
      if (!is_absolute(mount.target()) || mount.target() == "/")
        add(pointer + "/target", fmt::format("\"{}\" is no absolute path below /", mount.target()));
      if (!targets.insert(mount.target()).second)
        add(pointer + "/target", fmt::format("{} is mounted over a second time", mount.target()));
      check_source(mount, pointer);
    }
  }

  void check_source(const v1::Mount& mount, const std::string& pointer) {
    switch (mount.type()) {
      case v1::Mount::VOLUME:
        if (mount.source().empty()) add(pointer + "/source", "is empty: name one of the stack's volumes");
        break;
      case v1::Mount::BIND:
        if (!is_absolute(mount.source()))
          add(pointer + "/source", fmt::format("\"{}\" is no absolute path on the node", mount.source()));
        break;
      case v1::Mount::TMPFS:
        if (!mount.source().empty()) add(pointer + "/source", "must be empty: a tmpfs has no source");
        if (mount.tmpfs_bytes() < 0) add(pointer + "/tmpfsBytes", "is negative");
        break;
      default: add(pointer + "/type", "must be VOLUME, BIND or TMPFS");
    }
  }

  void check_ports() {
    std::set<std::tuple<std::string, std::uint32_t, std::uint32_t, std::string>> seen;
    for (int i = 0; i < container_.ports_size(); ++i) {
      const auto& port = container_.ports(i);
      const std::string pointer = fmt::format("/ports/{}", i);
      if (port.container_port() < 1 || port.container_port() > 65535)
        add(pointer + "/containerPort", fmt::format("{} is no port: 1 to 65535", port.container_port()));
      if (port.host_port() > 65535) add(pointer + "/hostPort", fmt::format("{} is no port", port.host_port()));
      if (port.protocol() != "tcp" && port.protocol() != "udp")
        add(pointer + "/protocol", fmt::format("\"{}\" is neither tcp nor udp", port.protocol()));
      check_host_ip(port.host_ip(), pointer);
      if (!seen.insert({port.host_ip(), port.host_port(), port.container_port(), port.protocol()}).second)
        add(pointer, "publishes the same port a second time");
    }
  }

  void check_host_ip(const std::string& text, const std::string& pointer) {
    if (text.empty()) return;
    boost::system::error_code error;
    boost::asio::ip::make_address(text, error);
    if (error) add(pointer + "/hostIp", fmt::format("\"{}\" is no IP address", text));
  }

  void check_networks() {
    std::set<std::string> names;
    for (int i = 0; i < container_.networks_size(); ++i) {
      const auto& attachment = container_.networks(i);
      if (!names.insert(attachment.network()).second)
        add(fmt::format("/networks/{}", i), fmt::format("joins {} a second time", attachment.network()));
      check_attachment(attachment, fmt::format("{}/networks/{}", at_, i), violations_);
    }
  }

  void check_amount(std::int64_t reserved, std::int64_t limit, const char* field, const char* what,
                    std::string (*format)(std::int64_t)) {
    if (limit < 0) add(fmt::format("/limits/{}", field), "is negative");
    if (reserved < 0) add(fmt::format("/reservations/{}", field), "is negative");
    if (limit > 0 && reserved > limit)
      add(fmt::format("/reservations/{}", field),
          fmt::format("reserves {} {}, more than its limit of {}", format(reserved), what, format(limit)));
  }

  void check_resources() {
    const auto& limits = container_.limits();
    const auto& reservations = container_.reservations();
    const auto plain = [](std::int64_t number) { return fmt::format("{}", number); };
    check_amount(reservations.nano_cpus(), limits.nano_cpus(), "nanoCpus", "processors", format_cpus);
    check_amount(reservations.memory_bytes(), limits.memory_bytes(), "memoryBytes", "of memory", format_bytes);
    check_amount(reservations.pids(), limits.pids(), "pids", "processes", plain);
  }

  void check_process() {
    if (!container_.working_dir().empty() && !is_absolute(container_.working_dir()))
      add("/workingDir", fmt::format("\"{}\" is no absolute path", container_.working_dir()));
    if (!container_.hostname().empty() && !is_dns_name(container_.hostname()))
      add("/hostname", fmt::format("\"{}\" is no host name: a-z, 0-9 and '-'", container_.hostname()));
    if (!is_signal(container_.stop_signal()))
      add("/stopSignal", fmt::format("\"{}\" is no signal: write it like SIGTERM", container_.stop_signal()));
    if (container_.stop_grace_period().seconds() < 0 || container_.stop_grace_period().nanos() < 0)
      add("/stopGracePeriod", "is negative");
    check_capabilities(container_.cap_add(), "/capAdd");
    check_capabilities(container_.cap_drop(), "/capDrop");
    for (const auto& [key, value] : container_.labels())
      if (key.empty()) add("/labels", "has a label without a name");
  }

  // Names are left to the node's own table; here only their form.
  static bool is_signal(std::string_view text) {
    if (text.empty()) return true;
    if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
      return text.size() <= 2 && text != "0" && text != "00" && (text.size() == 1 || text <= "64");
    return text.size() <= 12 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
             return std::isupper(c) || std::isdigit(c) || c == '+' || c == '-';
           });
  }

  void check_capabilities(const google::protobuf::RepeatedPtrField<std::string>& names, const char* pointer) {
    for (int i = 0; i < names.size(); ++i) {
      const bool good = !names[i].empty() && !names[i].starts_with("CAP_") &&
                        std::all_of(names[i].begin(), names[i].end(),
                                    [](unsigned char c) { return std::isupper(c) || std::isdigit(c) || c == '_'; });
      if (!good)
        add(fmt::format("{}/{}", pointer, i),
            fmt::format("\"{}\" is no capability: write it like NET_ADMIN, without CAP_", names[i]));
    }
  }

  const v1::ContainerSpec& container_;
  const std::string& at_;
  Violations& violations_;
};

}  // namespace

void check_container(const v1::ContainerSpec& container, const std::string& at, Violations& violations) {
  ContainerCheck(container, at, violations).run();
}

}  // namespace orchion::core
