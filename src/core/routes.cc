#include "core/routes.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/core.h>

#include "core/naming.h"

namespace orchion::core {

namespace {

constexpr int kRoutesMax = 64;
constexpr int kHostsMax = 32;
constexpr std::size_t kPathBytesMax = 1024;
constexpr std::size_t kCertificateBytesMax = 64u << 10;
constexpr std::int32_t kPriorityMost = 1'000'000;

std::string_view without_end_slash(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

class RouteCheck {
 public:
  RouteCheck(const v1::ServiceSpec& spec, const v1::HttpRoute& route, std::string at, Violations& violations)
      : spec_(spec), route_(route), at_(std::move(at)), violations_(violations) {}

  void run() {
    check_name(route_.name(), at_ + "/name", "route", violations_);
    check_hosts();
    if (!route_.path().empty() && !is_route_path(route_.path()))
      add("/path", fmt::format("\"{}\" is no path: begin it with '/', and write other characters than letters, digits "
                               "and -._~!$&'()*+,;=:@ as %XX",
                               route_.path().substr(0, kPathBytesMax)));
    if (route_.exact() && route_.path().empty()) add("/path", "is empty: an exact route names its path");
    if (route_.port() < 1 || route_.port() > 65535)
      add("/port", fmt::format("{} is no port: name the one that the container listens on", route_.port()));
    if (std::abs(static_cast<std::int64_t>(route_.priority())) > kPriorityMost)
      add("/priority", fmt::format("{} isn't between {} and {}", route_.priority(), -kPriorityMost, kPriorityMost));
    check_tls();
    check_network();
  }

 private:
  void add(const char* pointer, std::string detail) { violations_.push_back({at_ + pointer, std::move(detail)}); }

  void check_hosts() {
    if (route_.hosts_size() > kHostsMax) add("/hosts", fmt::format("are more than {}", kHostsMax));
    std::set<std::string> seen;
    for (int i = 0; i < route_.hosts_size(); ++i) {
      const auto pointer = fmt::format("/hosts/{}", i);
      if (!is_route_host(route_.hosts(i)))
        add(pointer.c_str(), fmt::format("\"{}\" is no host: write it as shop.example.com, or *.example.com",
                                         route_.hosts(i).substr(0, 255)));
      if (!seen.insert(route_.hosts(i)).second)
        add(pointer.c_str(), fmt::format("names {} a second time", route_.hosts(i)));
    }
  }

  void check_tls() {
    const bool has_own = !route_.certificate().pem().empty();
    if (route_.tls() == v1::HttpRoute::OWN_CERTIFICATE && !has_own)
      add("/certificate", "is empty: give the certificate with its key, or let the internal authority make one");
    if (route_.tls() != v1::HttpRoute::OWN_CERTIFICATE && has_own)
      add("/certificate", "means nothing without the TLS of OWN_CERTIFICATE");
    if (route_.certificate().pem().size() > kCertificateBytesMax)
      add("/certificate", fmt::format("is larger than {} KiB", kCertificateBytesMax >> 10));
    if (route_.tls() == v1::HttpRoute::INTERNAL_AUTHORITY && route_.hosts().empty())
      add("/hosts", "are empty: the internal authority vouches for names, so name one");
    if (route_.tls() == v1::HttpRoute::PLAIN && route_.plain_too()) add("/plainToo", "says nothing without TLS");
    if (route_.strip_path() && route_.path().empty()) add("/stripPath", "says nothing without a path");
  }

  void check_network() {
    const auto& container = spec_.container();
    if (container.network_mode() != v1::IN_NETWORKS)
      return add("", "needs a network: a service with a network mode of its own is reached at the node's ports");
    const auto& networks = container.networks();
    if (networks.empty()) return add("", "needs a network: the service is in none");
    if (route_.network().empty()) return;
    if (std::ranges::find(networks, route_.network(), &v1::NetworkAttachment::network) == networks.end())
      add("/network", fmt::format("the service isn't in the network \"{}\"", route_.network()));
  }

  const v1::ServiceSpec& spec_;
  const v1::HttpRoute& route_;
  const std::string at_;
  Violations& violations_;
};

}  // namespace

bool is_route_host(std::string_view host) {
  if (host.starts_with("*.")) host.remove_prefix(2);
  return is_dns_name(host);
}

bool is_route_path(std::string_view path) {
  constexpr std::string_view kOthers = "-._~!$&'()*+,;=:@/";
  if (!path.starts_with('/') || path.size() > kPathBytesMax) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    if (c < 0x80 && (std::isalnum(c) != 0 || kOthers.find(path[i]) != std::string_view::npos)) continue;
    if (c != '%' || i + 2 >= path.size() || std::isxdigit(static_cast<unsigned char>(path[i + 1])) == 0 ||
        std::isxdigit(static_cast<unsigned char>(path[i + 2])) == 0)
      return false;
    i += 2;
  }
  return true;
}

void check_routes(const v1::ServiceSpec& spec, const std::string& at, Violations& violations) {
  if (spec.routes_size() > kRoutesMax)
    violations.push_back({at + "/routes", fmt::format("are more than {}", kRoutesMax)});
  std::set<std::string> names;
  for (int i = 0; i < spec.routes_size(); ++i) {
    const auto pointer = fmt::format("{}/routes/{}", at, i);
    RouteCheck(spec, spec.routes(i), pointer, violations).run();
    if (!names.insert(spec.routes(i).name()).second)
      violations.push_back({pointer + "/name", fmt::format("there is another route named {}", spec.routes(i).name())});
  }
}

std::vector<std::string> route_keys(const v1::HttpRoute& route) {
  std::vector<std::string> hosts(route.hosts().begin(), route.hosts().end());
  if (hosts.empty()) hosts.emplace_back("*");
  const auto path = route.exact() ? route.path() : fmt::format("{}/", without_end_slash(route.path()));
  std::vector<std::string> keys;
  for (const auto& host : hosts)
    keys.push_back(fmt::format("{}{}{} (priority {})", host, path, route.exact() ? " exactly" : "", route.priority()));
  return keys;
}

NetworkName network_of_route(std::string_view stack, const v1::ServiceSpec& spec, const v1::HttpRoute& route) {
  if (!route.network().empty()) return network_of(stack, route.network());
  if (spec.container().networks().empty()) return {};
  return network_of(stack, spec.container().networks(0).network());
}

std::vector<std::string> route_addresses(const v1::HttpRoute& route, std::uint32_t http_port,
                                         std::uint32_t https_port) {
  const bool tls = route.tls() != v1::HttpRoute::PLAIN;
  const auto port = tls ? https_port : http_port;
  const auto shown_port = port == 0 || port == (tls ? 443 : 80) ? "" : fmt::format(":{}", port);
  std::vector<std::string> hosts(route.hosts().begin(), route.hosts().end());
  if (hosts.empty()) hosts.emplace_back("*");
  std::vector<std::string> addresses;
  for (const auto& host : hosts)
    addresses.push_back(fmt::format("{}://{}{}{}", tls ? "https" : "http", host, shown_port,
                                    route.path().empty() ? "/" : route.path()));
  return addresses;
}

}  // namespace orchion::core
