// Labels of Traefik's Docker provider.
// Source: https://doc.traefik.io/traefik/v2.11/routing/providers/docker/

#include "spec/traefik_loader.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "spec/traefik_rule.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr char kReference[] = "docs/guides/ingress.md lists what is supported";

struct Label {
  std::string value;
  Position at;
};
using Labels = std::map<std::string, Label>;  // keys in lower case, but for names

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  return text;
}

// What Traefik calls by any name is called by a DNS label here.
std::string as_route_name(const std::string& name) {
  std::string out;
  for (const char c : lower(name)) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  while (out.ends_with('-')) out.pop_back();
  out.erase(0, std::min(out.find_first_not_of('-'), out.size()));
  return out.empty() ? "main" : out.substr(0, 50);
}

std::vector<std::string> split(std::string_view text, char sign) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(sign);
    auto part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

struct Router {
  Position at;
  Label rule;
  std::vector<std::string> entrypoints;
  std::vector<std::string> middlewares;
  std::string service;
  int priority = 0;
  bool tls = false;
};

struct Target {
  Position at;
  std::uint32_t port = 0;
  bool has_tls = false;
  bool sticky = false;
};

struct Middleware {
  std::vector<std::string> strip;
  bool redirects = false;
};

// Where its labels stand; those of label files stand with the service.
Labels read_labels(const Node& service, const v1::ServiceSpec& spec) {
  Labels labels;
  const auto take = [&](const auto& map) {
    for (const auto& [key, value] : map)
      if (lower(key).starts_with("traefik.")) labels[key] = {value, service.at};
  };
  take(spec.labels());
  take(spec.container().labels());
  const auto* deploy = find_value(service, "deploy");
  for (const auto* node :
       {find_value(service, "labels"), deploy && deploy->is_map() ? find_value(*deploy, "labels") : nullptr}) {
    if (!node) continue;
    Problems said_already;
    for (const auto& pair : read_pairs(*node, "labels", said_already))
      if (const auto found = labels.find(pair.key); found != labels.end()) found->second.at = pair.at;
  }
  return labels;
}

class TraefikLoader {
 public:
  TraefikLoader(const Node& service, v1::ServiceSpec& spec, LoadContext& context)
      : service_(service), spec_(spec), problems_(context.problems) {}

  void run() {
    for (const auto& [key, label] : read_labels(service_, spec_)) take(key, label);
    if (routers_.empty() && complained_ == 0)
      problems_.add(
          service_.at,
          "labels of Traefik name no router: add `traefik.http.routers.NAME.rule`, or `traefik.enable=false`");
    for (const auto& [name, router] : routers_) add_routes(name, router);
    merge_plain();
  }

 private:
  void complain(const Position& at, std::string sentence) {
    ++complained_;
    problems_.add(at, std::move(sentence));
  }

  void refuse(const std::string& key, const Label& label) {
    complain(label.at, fmt::format("the label `{}` isn't understood: remove it; {}", key, kReference));
  }

  bool is_true(const std::string& key, const Label& label) {
    const auto value = parse_bool(label.value);
    if (!value) complain(label.at, fmt::format("`{}` must be true or false, and is `{}`", key, label.value));
    return value.value_or(false);
  }

  int number(const std::string& key, const Label& label, int least, int most) {
    const auto value = parse_integer(label.value);
    if (value && *value >= least && *value <= most) return static_cast<int>(*value);
    complain(label.at, fmt::format("`{}` must be a number from {} to {}, and is `{}`", key, least, most, label.value));
    return 0;
  }

  void take(const std::string& key, const Label& label) {
    const auto parts = split(key, '.');
    const auto path = lower(key);
    if (path == "traefik.enable") return void(is_true(key, label));
    if (path == "traefik.docker.network" || path == "traefik.swarm.network") {
      network_ = label.value;
      return;
    }
    if (parts.size() < 5 || lower(parts[1]) != "http") return refuse(key, label);
    const auto kind = lower(parts[2]);
    const auto& name = parts[3];
    std::string rest = lower(parts[4]);
    for (std::size_t i = 5; i < parts.size(); ++i) rest += "." + lower(parts[i]);
    if (kind == "routers") return take_router(key, name, rest, label);
    if (kind == "services") return take_service(key, name, rest, label);
    if (kind == "middlewares") return take_middleware(key, name, rest, label);
    refuse(key, label);
  }

  void take_router(const std::string& key, const std::string& name, const std::string& rest, const Label& label) {
    auto& router = routers_[name];
    router.at = label.at;
    if (rest == "rule") {
      router.rule = label;
    } else if (rest == "entrypoints") {
      for (auto& entrypoint : split(lower(label.value), ',')) {
        if (entrypoint != "web" && entrypoint != "websecure")
          complain(label.at, fmt::format("the entrypoint `{}` isn't there: use web and websecure", entrypoint));
        router.entrypoints.push_back(std::move(entrypoint));
      }
    } else if (rest == "tls") {
      router.tls = is_true(key, label) || router.tls;
    } else if (rest == "tls.certresolver") {
      router.tls = true;
    } else if (rest == "priority") {
      router.priority = number(key, label, 0, 1'000'000);
    } else if (rest == "service") {
      router.service = without_provider(label.value);
    } else if (rest == "middlewares") {
      for (const auto& middleware : split(label.value, ',')) router.middlewares.push_back(without_provider(middleware));
    } else {
      refuse(key, label);
    }
  }

  // "NAME@docker"
  static std::string without_provider(const std::string& name) { return name.substr(0, name.find('@')); }

  void take_service(const std::string& key, const std::string& name, const std::string& rest, const Label& label) {
    auto& target = targets_[name];
    target.at = label.at;
    if (rest == "loadbalancer.server.port") {
      target.port = static_cast<std::uint32_t>(number(key, label, 1, 65535));
    } else if (rest == "loadbalancer.server.scheme") {
      const auto scheme = lower(label.value);
      if (scheme != "http" && scheme != "https")
        complain(label.at, fmt::format("the scheme `{}` isn't supported: use http or https", label.value));
      target.has_tls = scheme == "https";
    } else if (rest == "loadbalancer.sticky.cookie" || rest == "loadbalancer.sticky") {
      target.sticky = is_true(key, label) || target.sticky;
    } else if (rest == "loadbalancer.passhostheader") {
      if (!is_true(key, label)) complain(label.at, "services are asked with the client's host: remove this label");
    } else {
      refuse(key, label);
    }
  }

  void take_middleware(const std::string& key, const std::string& name, const std::string& rest, const Label& label) {
    auto& middleware = middlewares_[name];
    if (rest == "stripprefix.prefixes") {
      middleware.strip = split(label.value, ',');
    } else if (rest == "redirectscheme.scheme") {
      if (lower(label.value) != "https") complain(label.at, "requests are sent on to https alone: remove this label");
      middleware.redirects = true;
    } else if (rest == "redirectscheme.permanent") {
      is_true(key, label);
    } else {
      refuse(key, label);
    }
  }

  // The one that is named; else the only one there is.
  Target target_of(const Router& router) {
    if (!router.service.empty()) {
      if (const auto found = targets_.find(router.service); found != targets_.end()) return found->second;
      complain(router.at, fmt::format("the router's service `{0}` isn't among these labels: add "
                                      "`traefik.http.services.{0}.loadbalancer.server.port`",
                                      router.service));
    }
    if (targets_.size() > 1 && router.service.empty())
      complain(router.at, "there are several services, and the router names none: add its `.service`");
    return targets_.empty() ? Target() : targets_.begin()->second;
  }

  void add_routes(const std::string& name, const Router& router) {
    if (router.rule.value.empty())
      return complain(router.at,
                      fmt::format("the router `{0}` has no rule: add `traefik.http.routers.{0}.rule`", name));
    const auto matches = parse_traefik_rule(router.rule.value);
    if (!matches) return complain(router.rule.at, fmt::format("router `{}`: {}", name, matches.error().message));
    const auto target = target_of(router);
    bool redirects = false;
    std::vector<std::string> strip;
    for (const auto& wanted : router.middlewares) {
      const auto found = middlewares_.find(wanted);
      if (found == middlewares_.end()) {
        complain(router.at, fmt::format("the router `{}` asks for the middleware `{}`, which isn't among these labels: "
                                        "describe it here as stripprefix or redirectscheme, or remove it",
                                        name, wanted));
        continue;
      }
      redirects = redirects || found->second.redirects;
      strip.insert(strip.end(), found->second.strip.begin(), found->second.strip.end());
    }
    const bool only_secure =
        std::ranges::find(router.entrypoints, "web") == router.entrypoints.end() && !router.entrypoints.empty();
    // One message for each path, with all its hosts.
    std::map<std::pair<std::string, bool>, v1::HttpRoute> by_path;
    for (const auto& match : *matches) {
      auto& route = by_path[{match.path, match.exact}];
      if (!match.host.empty()) route.add_hosts(match.host);
      route.set_path(match.path);
      route.set_exact(match.exact);
      route.set_strip_path(std::ranges::find(strip, match.path) != strip.end());
      if (!strip.empty() && !route.strip_path())
        complain(router.at, fmt::format("stripprefix takes {} away, and the router's rule asks for `{}`: let both name "
                                        "the same path",
                                        fmt::join(strip, ", "), match.path.empty() ? "/" : match.path));
    }
    int index = 0;
    for (auto& [key, route] : by_path) {
      route.set_name(as_route_name(name) + (index == 0 ? "" : fmt::format("-{}", index + 1)));
      ++index;
      route.set_port(target.port);
      route.set_network(network_);
      route.set_priority(router.priority);
      route.set_sticky(target.sticky);
      route.set_service_has_tls(target.has_tls);
      if (router.tls || only_secure) route.set_tls(v1::HttpRoute::INTERNAL_AUTHORITY);
      (redirects && route.tls() == v1::HttpRoute::PLAIN ? redirecting_ : routes_)
          .push_back({std::move(route), router.at});
    }
  }

  static bool same_requests(const v1::HttpRoute& a, const v1::HttpRoute& b) {
    return std::set<std::string>(a.hosts().begin(), a.hosts().end()) ==
               std::set<std::string>(b.hosts().begin(), b.hosts().end()) &&
           a.path() == b.path() && a.exact() == b.exact();
  }

  // A router for `web` beside one for `websecure` is the plain half of the same route; one that redirects is what a
  // route with TLS does by itself.
  void merge_plain() {
    for (const auto& [redirect, at] : redirecting_)
      if (std::ranges::none_of(routes_, [&, &wanted = redirect](const auto& other) {
            return other.first.tls() != v1::HttpRoute::PLAIN && same_requests(other.first, wanted);
          }))
        complain(at,
                 "redirectscheme sends requests on to https, where no router of this service takes them: give it one "
                 "with `tls=true` and the same rule");
    for (auto& [route, at] : routes_) {
      const auto secure = std::ranges::find_if(routes_, [&, &plain = route](const auto& other) {
        return other.first.tls() != v1::HttpRoute::PLAIN && plain.tls() == v1::HttpRoute::PLAIN &&
               same_requests(other.first, plain);
      });
      if (secure != routes_.end())
        secure->first.set_plain_too(true);
      else
        kept_.push_back(&route);
    }
    for (const auto* route : kept_) *spec_.add_routes() = *route;
  }

  const Node& service_;
  v1::ServiceSpec& spec_;
  Problems& problems_;
  int complained_ = 0;
  std::string network_;
  std::map<std::string, Router> routers_;
  std::map<std::string, Target> targets_;
  std::map<std::string, Middleware> middlewares_;
  std::vector<std::pair<v1::HttpRoute, Position>> routes_;
  std::vector<std::pair<v1::HttpRoute, Position>> redirecting_;
  std::vector<const v1::HttpRoute*> kept_;
};

}  // namespace

bool has_traefik_labels(const v1::ServiceSpec& spec) {
  bool has = false;
  for (const auto* labels : {&spec.labels(), &spec.container().labels()})
    for (const auto& [key, value] : *labels) {
      const auto name = lower(key);
      if (name == "traefik.enable" && parse_bool(value) == false) return false;
      has = has || name.starts_with("traefik.");
    }
  return has;
}

void load_traefik_routes(const Node& service, v1::ServiceSpec& spec, LoadContext& context) {
  TraefikLoader(service, spec, context).run();
}

}  // namespace orchion::spec
