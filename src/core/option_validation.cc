// What can be wrong with what few containers have: files, devices, limits of a process, health checks.

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/core.h>
#include <boost/asio/ip/address.hpp>

#include "core/cdi_name.h"
#include "core/validation.h"

namespace orchion::core {

namespace {

constexpr std::size_t kFileBytesMax = 256u << 10;
constexpr std::uint32_t kModeMost = 07777;
constexpr std::uint32_t kPortMost = 65535;

class OptionCheck {
 public:
  OptionCheck(const v1::ContainerSpec& container, const std::string& at, Violations& violations)
      : container_(container), at_(at), violations_(violations) {}

  void run() {
    check_files();
    check_devices();
    check_limits();
    check_names();
    check_health();
    check_network_mode();
    for (const auto& mount : container_.mounts())
      if (mount.tmpfs_mode() > kModeMost) add("/mounts", fmt::format("{:o} is no mode of a tmpfs", mount.tmpfs_mode()));
    if (container_.oom_score_adj() < -1000 || container_.oom_score_adj() > 1000)
      add("/oomScoreAdj", "must be from -1000 to 1000");
    check_users();
    if (container_.shm_bytes() < 0) add("/shmBytes", "is negative");
    if (container_.log_bytes_max() < 0) add("/logBytesMax", "is negative");
    if (container_.memory_swap_bytes() < -1) add("/memorySwapBytes", "must be -1, for no limit, or more");
  }

 private:
  void add(const std::string& pointer, std::string detail) {
    violations_.push_back({at_ + pointer, std::move(detail)});
  }

  static bool is_absolute(std::string_view path) {
    return path.size() > 1 && path.starts_with('/') && path.find_first_of(std::string_view("\0\n", 2)) == path.npos;
  }

  static bool is_number(std::string_view text) {
    return text.size() <= 10 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
  }

  void check_files() {
    std::set<std::string> targets;
    for (int i = 0; i < container_.files_size(); ++i) {
      const auto& file = container_.files(i);
      const auto pointer = fmt::format("/files/{}", i);
      if (!is_absolute(file.target())) add(pointer + "/target", "is no absolute path below /");
      if (!targets.insert(file.target()).second) add(pointer + "/target", "is the target of another file");
      if (file.content().size() > kFileBytesMax)
        add(pointer + "/content", fmt::format("is larger than {} KiB: put it into a volume", kFileBytesMax >> 10));
      if (file.mode() > kModeMost) add(pointer + "/mode", fmt::format("{:o} is no file's mode", file.mode()));
      if (!is_number(file.uid()) || !is_number(file.gid())) add(pointer, "has a uid or gid that is no number");
    }
  }

  static bool is_permissions(std::string_view text) {
    return !text.empty() && text.size() <= 3 && text.find_first_not_of("rwm") == text.npos;
  }

  // "c 10:229 rwm"; `*` stands for any number.
  static bool is_rule(std::string_view text) {
    const auto colon = text.find(':'), blank = text.rfind(' ');
    if (text.size() < 7 || colon == text.npos || blank == text.npos || blank < colon || text[1] != ' ') return false;
    const auto is_figure = [](std::string_view figure) {
      return figure == "*" || (!figure.empty() && is_number(figure));
    };
    return std::string_view("abc").find(text[0]) != std::string_view::npos && is_figure(text.substr(2, colon - 2)) &&
           is_figure(text.substr(colon + 1, blank - colon - 1)) && is_permissions(text.substr(blank + 1));
  }

  void check_devices() {
    for (int i = 0; i < container_.devices_size(); ++i) {
      const auto& device = container_.devices(i);
      if (is_cdi_name(device.source())) {
        if (!device.target().empty() || !device.permissions().empty())
          add(fmt::format("/devices/{}", i), "is a CDI name: leave target and permissions empty");
        continue;
      }
      if (!is_absolute(device.source()) || !is_absolute(device.target()) || !is_permissions(device.permissions()))
        add(fmt::format("/devices/{}", i),
            "needs two absolute paths and permissions of r, w and m, or a CDI name alone");
    }
    for (int i = 0; i < container_.device_rules_size(); ++i)
      if (!is_rule(container_.device_rules(i)))
        add(fmt::format("/deviceRules/{}", i),
            fmt::format("\"{}\" is no rule: write it like c 10:229 rwm", container_.device_rules(i)));
  }

  void check_limits() {
    std::set<std::string> names;
    for (int i = 0; i < container_.ulimits_size(); ++i) {
      const auto& limit = container_.ulimits(i);
      const auto pointer = fmt::format("/ulimits/{}", i);
      const bool plain = !limit.name().empty() && std::all_of(limit.name().begin(), limit.name().end(),
                                                              [](unsigned char c) { return std::islower(c); });
      if (!plain) add(pointer + "/name", fmt::format("\"{}\" is no limit: write it like nofile", limit.name()));
      if (!names.insert(limit.name()).second) add(pointer + "/name", "is there a second time");
      if (limit.soft() < -1 || limit.hard() < -1) add(pointer, "must be -1, for no limit, or more");
      if (limit.hard() != -1 && (limit.soft() == -1 || limit.soft() > limit.hard()))
        add(pointer + "/soft", "is above the hard limit");
    }
    for (const auto& [name, value] : container_.sysctls()) {
      const bool of_network = name.starts_with("net.");
      const bool of_ipc = name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name == "kernel.sem" ||
                          name.starts_with("fs.mqueue.");
      if ((!of_network && !of_ipc) || name.find_first_of("/ \n") != name.npos)
        add("/sysctls", fmt::format("{} isn't a container's own: set it on the node", name));
      if ((of_network && container_.network_mode() == v1::HOST_NETWORK) || (of_ipc && container_.ipc() == v1::OF_HOST))
        add("/sysctls", fmt::format("{} would change the node: remove it, or don't use the node's namespace", name));
    }
  }

  static bool is_word(std::string_view text) {
    return !text.empty() &&
           std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == '#'; });
  }

  void check_names() {
    const auto is_address = [](const std::string& text) {
      boost::system::error_code error;
      boost::asio::ip::make_address(text, error);
      return !error;
    };
    for (int i = 0; i < container_.extra_hosts_size(); ++i) {
      const auto& entry = container_.extra_hosts(i);
      const auto equals = entry.find('=');
      const auto address = equals == entry.npos ? std::string() : entry.substr(equals + 1);
      if (!is_word(entry.substr(0, equals)) || (address != "host-gateway" && !is_address(address)))
        add(fmt::format("/extraHosts/{}", i), fmt::format("\"{}\" must be NAME=ADDRESS", entry));
    }
    for (const auto& server : container_.dns().values())
      if (!is_address(server)) add("/dns", fmt::format("\"{}\" is no IP address", server));
    for (const auto& domain : container_.dns_search().values())
      if (!is_word(domain)) add("/dnsSearch", fmt::format("\"{}\" is no domain", domain));
    for (const auto& option : container_.dns_options())
      if (!is_word(option)) add("/dnsOptions", fmt::format("\"{}\" is no option of resolv.conf", option));
    if (!container_.domainname().empty() && !is_word(container_.domainname())) add("/domainname", "is no domain");
  }

  void check_health() {
    if (container_.has_health_check()) check_probe(container_.health_check(), "/healthCheck", /*may_be_silent=*/true);
    if (container_.has_readiness()) check_probe(container_.readiness(), "/readiness", /*may_be_silent=*/false);
    if (container_.has_startup()) check_probe(container_.startup(), "/startup", /*may_be_silent=*/false);
  }

  // `may_be_silent`: without a test the image's own holds.
  void check_probe(const v1::HealthCheck& check, const std::string& pointer, bool may_be_silent) {
    if (check.disabled()) return;
    const auto& words = check.test().values();
    const int ways =
        (words.empty() ? 0 : 1) + (check.has_http() ? 1 : 0) + (check.has_tcp() ? 1 : 0) + (check.has_grpc() ? 1 : 0);
    if (ways > 1) add(pointer, fmt::format("asks in {} ways: keep one of test, http, tcp and grpc", ways));
    if (ways == 0 && !may_be_silent) add(pointer, "doesn't say what to ask: give it one of test, http, tcp and grpc");
    const bool shell = words.size() == 2 && words[0] == "CMD-SHELL";
    if (!words.empty() && !shell && (words.size() < 2 || words[0] != "CMD"))
      add(pointer + "/test", "must be CMD and words, or CMD-SHELL and a line");
    if (check.has_http()) check_http(check.http(), pointer + "/http");
    if (check.has_tcp()) check_port(check.tcp().port(), pointer + "/tcp");
    if (check.has_grpc()) check_port(check.grpc().port(), pointer + "/grpc");
    for (const auto* duration : {&check.interval(), &check.timeout(), &check.start_period(), &check.start_interval()})
      if (duration->seconds() < 0 || duration->nanos() < 0) add(pointer, "has a negative duration");
  }

  void check_port(std::uint32_t port, const std::string& pointer) {
    if (port == 0 || port > kPortMost)
      add(pointer + "/port", fmt::format("{} is no port: write a number from 1 to {}", port, kPortMost));
  }

  // What isn't such a text would say something else than one request.
  static bool is_visible(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  }
  static bool is_line(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) && c != '\t'; });
  }
  static bool is_header_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
      return std::isalnum(c) ||
             std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    });
  }

  void check_http(const v1::HttpProbe& probe, const std::string& pointer) {
    check_port(probe.port(), pointer);
    if (!probe.path().empty() && (!probe.path().starts_with('/') || !is_visible(probe.path())))
      add(pointer + "/path", "must begin with / and hold no blanks: write them as %20");
    if (!is_visible(probe.host()) || probe.host().find('/') != std::string::npos)
      add(pointer + "/host", fmt::format("\"{}\" is no name of a host", probe.host()));
    for (int i = 0; i < probe.headers_size(); ++i) {
      const auto& header = probe.headers(i);
      if (!is_header_name(header.name()))
        add(fmt::format("{}/headers/{}/name", pointer, i), fmt::format("\"{}\" is no name of a header", header.name()));
      if (!is_line(header.value()))
        add(fmt::format("{}/headers/{}/value", pointer, i), "holds a line break: a header is one line");
    }
  }

  // With users of its own a container is root of what it has of its own, and of nothing that is the node's.
  void check_users() {
    const auto wanted = container_.user_namespace();
    if (wanted == v1::USERS_OF_HOST) return;
    const auto refuse = [&](std::string detail) { add("/userNamespace", std::move(detail)); };
    if (wanted != v1::USERS_AUTO) return refuse("must be USERS_OF_HOST or USERS_AUTO");
    if (container_.privileged()) refuse("can't be the container's own where it is privileged: remove one of both");
    if (container_.pid() == v1::OF_HOST) refuse("can't be the container's own with the node's processes: remove `pid`");
    if (container_.ipc() == v1::OF_HOST) refuse("can't be the container's own with the node's ipc: remove `ipc`");
    if (container_.executor() == "process") refuse("can't be a program's own that runs as a user of the node");
    for (const auto& name : container_.cap_add()) {
      if (name == "NET_ADMIN" || name == "NET_RAW")
        refuse(
            fmt::format("can't be the container's own with {}, which holds for users of the node alone: remove one "
                        "of both",
                        name));
    }
  }

  void check_network_mode() {
    if (container_.network_mode() != v1::OF_SERVICE && !container_.network_service().empty())
      add("/networkService", "means something with the networkMode OF_SERVICE only");
    if (container_.network_mode() == v1::IN_NETWORKS) return;
    if (!container_.networks().empty()) add("/networks", "must be empty where networkMode says something else");
    if (!container_.ports().empty()) add("/ports", "must be empty where networkMode says something else");
    if (container_.network_mode() == v1::OF_SERVICE) check_shared_network();
  }

  // As Docker has it: what is the network's is said by the service whose network it is.
  void check_shared_network() {
    if (container_.network_service().empty()) add("/networkService", "is empty: name the service whose network it is");
    const auto refuse = [this](bool set, const char* pointer) {
      if (set)
        add(pointer,
            fmt::format("is said by service {}, whose network this is: leave it out", container_.network_service()));
    };
    refuse(!container_.hostname().empty(), "/hostname");
    refuse(!container_.domainname().empty(), "/domainname");
    refuse(container_.has_dns(), "/dns");
    refuse(container_.has_dns_search(), "/dnsSearch");
    refuse(!container_.dns_options().empty(), "/dnsOptions");
    refuse(!container_.extra_hosts().empty(), "/extraHosts");
  }

  const v1::ContainerSpec& container_;
  const std::string& at_;
  Violations& violations_;
};

}  // namespace

void check_container_options(const v1::ContainerSpec& container, const std::string& at, Violations& violations) {
  OptionCheck(container, at, violations).run();
}

}  // namespace orchion::core
