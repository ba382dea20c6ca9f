// `x-orchion: {routes: …}` of a service, or the labels of Traefik that mean the same.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "core/routes.h"
#include "spec/keys.h"
#include "spec/port_syntax.h"
#include "spec/service_loader.h"
#include "spec/traefik_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::size_t kCertificateBytesMax = 64u << 10;
constexpr std::int64_t kPriorityMost = 1'000'000;

class RouteLoader {
 public:
  RouteLoader(const Node& node, LoadContext& context) : node_(node), context_(context), problems_(context.problems) {}

  v1::HttpRoute run() {
    check_keys(node_, kRouteKeys, problems_);
    route_.set_name(text("name"));
    load_hosts();
    route_.set_path(text("path"));
    if (!route_.path().empty() && !core::is_route_path(route_.path()))
      problems_.add(
          find_value(node_, "path")->at,
          fmt::format("`{}` isn't a path: begin it with `/`, and write blanks and the like as %20", route_.path()));
    route_.set_exact(flag("exact"));
    route_.set_port(static_cast<std::uint32_t>(number("port", 1, 65535)));
    route_.set_network(text("network"));
    route_.set_priority(static_cast<std::int32_t>(number("priority", -kPriorityMost, kPriorityMost)));
    if (const auto* tls = find_value(node_, "tls")) load_tls(*tls);
    route_.set_plain_too(flag("plain_too"));
    route_.set_strip_path(flag("strip_path"));
    route_.set_sticky(flag("sticky"));
    route_.set_service_has_tls(flag("service_tls"));
    check_sense();
    return std::move(route_);
  }

 private:
  std::string text(std::string_view key) {
    const auto* node = find_value(node_, key);
    return node ? read_text(*node, key, problems_).value_or("") : "";
  }
  bool flag(std::string_view key) {
    const auto* node = find_value(node_, key);
    return node && read_bool(*node, key, problems_).value_or(false);
  }
  std::int64_t number(std::string_view key, std::int64_t least, std::int64_t most) {
    const auto* node = find_value(node_, key);
    return node ? read_integer(*node, key, least, most, problems_).value_or(0) : 0;
  }

  void load_hosts() {
    const auto* one = find_value(node_, "host");
    const auto* several = find_value(node_, "hosts");
    if (one && several) problems_.add(several->at, "`host` and `hosts` can't both be there: keep one");
    if (one) add_host(text("host"), one->at);
    if (several)
      for (auto& host : read_list(*several, "hosts", Single::kRefused, problems_))
        add_host(std::move(host), several->at);
  }

  void add_host(std::string host, const Position& at) {
    std::ranges::transform(host, host.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!core::is_route_host(host))
      problems_.add(at, fmt::format("`{}` isn't a host: write it as shop.example.com, or *.example.com", host));
    route_.add_hosts(std::move(host));
  }

  void load_tls(const Node& tls) {
    if (tls.is_map()) return load_certificate(tls);
    const auto word = read_text(tls, "tls", problems_);
    if (!word) return;
    if (*word != "internal")
      return problems_.add(tls.at,
                           fmt::format("`{}` isn't a kind of TLS: use internal, or a map with `certificate` and "
                                       "`key`",
                                       *word));
    route_.set_tls(v1::HttpRoute::INTERNAL_AUTHORITY);
  }

  void load_certificate(const Node& tls) {
    check_keys(tls, kRouteTlsKeys, problems_);
    route_.set_tls(v1::HttpRoute::OWN_CERTIFICATE);
    const auto* certificate = find_value(tls, "certificate");
    if (!certificate)
      return problems_.add(tls.at, "`tls` names no `certificate`: name its file, or write `tls: internal`");
    auto& out = *route_.mutable_certificate();
    add_file(*certificate, "certificate", out);
    if (const auto* key = find_value(tls, "key")) add_file(*key, "key", out);
  }

  void add_file(const Node& node, std::string_view what, v1::RouteCertificate& out) {
    const auto name = read_text(node, what, problems_);
    const auto path = name ? context_.readable_path(*name, node.at, fmt::format("the {}'s file", what)) : std::nullopt;
    if (!path) return;
    const auto bytes = context_.files.read(*path, kCertificateBytesMax);
    if (!bytes)
      return problems_.add(node.at, bytes.error().code == base::Code::kNotFound
                                        ? fmt::format("there is no file {}: create it, or name another", *name)
                                        : bytes.error().message);
    out.mutable_pem()->append(*bytes);
    if (!out.pem().ends_with('\n')) out.mutable_pem()->push_back('\n');
    out.set_origin(out.origin().empty() ? "file:" + path->string() : out.origin() + "," + path->string());
  }

  void check_sense() {
    if (route_.exact() && route_.path().empty())
      problems_.add(find_value(node_, "exact")->at, "`exact` says nothing without a `path`");
    if (route_.strip_path() && route_.path().empty())
      problems_.add(find_value(node_, "strip_path")->at, "`strip_path` says nothing without a `path`");
    if (route_.plain_too() && route_.tls() == v1::HttpRoute::PLAIN)
      problems_.add(find_value(node_, "plain_too")->at, "`plain_too` says nothing without `tls`");
    if (route_.tls() == v1::HttpRoute::INTERNAL_AUTHORITY && route_.hosts().empty())
      problems_.add(find_value(node_, "tls")->at, "the internal authority vouches for names: add a `host`");
  }

  const Node& node_;
  LoadContext& context_;
  Problems& problems_;
  v1::HttpRoute route_;
};

// Of TCP, by `ports` and `expose`.
std::set<std::uint32_t> known_ports(const Node& service, const v1::ContainerSpec& container) {
  std::set<std::uint32_t> ports;
  for (const auto& port : container.ports())
    if (port.protocol().empty() || port.protocol() == "tcp") ports.insert(port.container_port());
  const auto* expose = find_value(service, "expose");
  if (!expose || !expose->is_list()) return ports;
  for (const auto& item : expose->items)
    if (const auto exposed = parse_ports(item.text))
      for (const auto& port : *exposed)
        if (port.protocol().empty() || port.protocol() == "tcp") ports.insert(port.container_port());
  return ports;
}

void settle(const Node& service, const Position& at, v1::ServiceSpec& spec, Problems& problems) {
  const auto ports = known_ports(service, spec.container());
  std::set<std::string> names;
  for (int i = 0; i < spec.routes_size(); ++i) {
    auto& route = *spec.mutable_routes(i);
    if (route.name().empty()) route.set_name(i == 0 ? "main" : fmt::format("main-{}", i + 1));
    if (!names.insert(route.name()).second)
      problems.add(at, fmt::format("there are two routes named `{}`: name one otherwise", route.name()));
    if (route.port() == 0 && ports.size() == 1) route.set_port(*ports.begin());
    if (route.port() == 0 && ports.empty())
      problems.add(at,
                   fmt::format("the route `{}` has no port, and the service names none: say on which one it listens",
                               route.name()));
    if (route.port() == 0 && ports.size() > 1)
      problems.add(at, fmt::format("the route `{}` has no port, and the service has {}: say which one it means",
                                   route.name(), fmt::join(ports, ", ")));
    const auto& container = spec.container();
    if (container.networks().empty())
      return problems.add(at, "a service with routes needs a network: remove `network_mode`, or the routes");
    if (!route.network().empty() && std::ranges::find(container.networks(), route.network(),
                                                      &v1::NetworkAttachment::network) == container.networks().end())
      problems.add(at,
                   fmt::format("the service isn't in the network `{}` of its route `{}`: let it join, or name one of "
                               "its own",
                               route.network(), route.name()));
  }
}

}  // namespace

void load_routes(const Node& service, v1::ServiceSpec& spec, LoadContext& context) {
  const auto* orchion = find_value(service, "x-orchion");
  const auto* list = orchion && orchion->is_map() ? find_value(*orchion, "routes") : nullptr;
  const bool has_labels = has_traefik_labels(spec);
  if (list) {
    if (!expect_list(*list, "routes", context.problems)) return;
    for (const auto& item : list->items)
      if (expect_map(item, "routes", context.problems)) *spec.add_routes() = RouteLoader(item, context).run();
    if (has_labels)
      context.warnings.push_back(
          fmt::format("{}: `routes` go before the labels of Traefik, which are passed over", list->at.text()));
  } else if (has_labels) {
    load_traefik_routes(service, spec, context);
  }
  if (!spec.routes().empty()) settle(service, list ? list->at : service.at, spec, context.problems);
}

}  // namespace orchion::spec
