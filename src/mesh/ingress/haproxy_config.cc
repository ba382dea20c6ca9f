#include "mesh/ingress/haproxy_config.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

#include <fmt/core.h>

#include "core/fingerprint.h"

namespace orchion::mesh::ingress {

namespace {

// A backend of this name answers what is to be asked by https; names of routes have dots.
constexpr char kRedirect[] = "redirect";

// Which of the maps a route stands in. The order is that of the questions: an exact host goes before a wildcard, that
// before any; of one host the longest path, and of the same path the exact one.
enum class HostKind { kExact, kWildcard, kAny };

struct MapKey {
  int priority = 0;
  HostKind host = HostKind::kExact;
  bool exact_path = false;

  bool operator<(const MapKey& other) const {
    return std::tuple(-priority, host, !exact_path) < std::tuple(-other.priority, other.host, !other.exact_path);
  }
};
using Maps = std::map<MapKey, std::map<std::string, std::string>>;  // a request's key → backend

HostKind kind_of(std::string_view host) {
  if (host.empty()) return HostKind::kAny;
  return host.starts_with("*.") ? HostKind::kWildcard : HostKind::kExact;
}

std::string_view without_end_slash(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// What of the host stands in a key: ".example.com" for a wildcard.
std::string_view key_host(std::string_view host) {
  return host.starts_with('*') ? host.substr(1) : host;
}

std::string backend_name(const v1::RouteAssignment& route) {
  return fmt::format("{}.{}.{}", route.stack(), route.service(), route.route().name());
}

std::string certificate_file(const v1::RouteAssignment& route) {
  return fmt::format("certificates/{}.pem", backend_name(route));
}

bool has_tls(const v1::HttpRoute& route) {
  return route.tls() != v1::HttpRoute::PLAIN && !route.certificate().pem().empty();
}

// Below a path means behind a slash: keys of prefixes end with one, and so do the requests' when they are looked up.
void add_to(Maps& maps, const v1::HttpRoute& route, const std::string& backend) {
  std::vector<std::string> hosts(route.hosts().begin(), route.hosts().end());
  if (hosts.empty()) hosts.emplace_back();
  for (const auto& host : hosts) {
    const MapKey key{route.priority(), kind_of(host), route.exact()};
    const auto path = route.exact() ? (route.path().empty() ? "/" : route.path())
                                    : fmt::format("{}/", without_end_slash(route.path()));
    maps[key].try_emplace(fmt::format("{}{}", key_host(host), path), backend);
  }
}

std::string file_text(const std::map<std::string, std::string>& map) {
  std::string text;
  for (const auto& [key, backend] : map) text += fmt::format("{} {}\n", key, backend);
  return text;
}

std::string port_of(std::string_view address) {
  return std::string(address.substr(address.rfind(':') + 1));
}

// As a word that HAProxy reads as a format: a path holds neither quotes nor backslashes.
std::string quoted_format(std::string_view path) {
  std::string text = "\"";
  for (const char c : path) {
    if (c == '%') text += '%';
    if (c == '$') text += '\\';
    text += c;
  }
  return text + "\"";
}

class ConfigWriter {
 public:
  ConfigWriter(const HaproxySettings& settings, const std::vector<RoutedService>& services) : settings_(settings) {
    std::set<std::string> names;
    for (const auto& service : services)
      if (names.insert(backend_name(service.route)).second) services_.push_back(&service);
  }

  Config run() {
    for (const auto* service : services_) {
      const auto& route = service->route.route();
      const auto name = backend_name(service->route);
      fill_backend(config_.backends[name], *service);
      const bool tls = has_tls(route);
      if (tls) config_.certificates[certificate_file(service->route)] = route.certificate().pem();
      const bool wants_tls = route.tls() != v1::HttpRoute::PLAIN;
      add_to(plain_, route, wants_tls && !route.plain_too() ? kRedirect : name);
      if (tls) add_to(secure_, route, name);
    }
    // Once to know its hash, once to carry it.
    structure_ = "-";
    write();
    std::string all = head_;
    for (const auto& [name, content] : config_.files) all += fmt::format("{} {}\n{}", name, content.size(), content);
    for (const auto& [name, lines] : tails_) all += lines;
    structure_ = core::fnv1a_128(all);
    config_.files.clear();
    write();
    config_.structure = structure_;
    config_.text = head_;
    for (const auto& [name, lines] : tails_) config_.text += lines + server_lines(config_.backends.at(name));
    return std::move(config_);
  }

 private:
  static void fill_backend(Backend& backend, const RoutedService& service) {
    const auto& route = service.route.route();
    backend.sticky = route.sticky();
    for (const auto& server : service.servers)
      backend.servers[server.name] = {server.address, route.port(), route.service_has_tls()};
  }

  void write() {
    write_head();
    tails_.clear();
    for (const auto* service : services_) {
      const auto name = backend_name(service->route);
      tails_[name] = backend_lines(name, service->route.route());
    }
  }

  std::string path_of(const std::string& file) const { return fmt::format("{}/{}", settings_.folder, file); }

  void write_head() {
    head_ = fmt::format(
        "# Written by orchion: what is changed here is lost.\n"
        "global\n"
        "    set-var proc.structure str({})\n"
        "    stats socket {} mode 600 level admin\n"
        "    chroot {}\n"
        "    uid {}\n"
        "    gid {}\n"
        "    maxconn {}\n"
        // Old connections (of websockets) keep their worker after a reload: for an hour, and twenty of them.
        "    hard-stop-after 1h\n"
        "    mworker-max-reloads 20\n"
        "    ssl-default-bind-options ssl-min-ver TLSv1.2\n"
        "    tune.ssl.default-dh-param 2048\n"
        "\n"
        "defaults\n"
        "    mode http\n"
        "    balance leastconn\n"
        "    timeout http-request 10s\n"
        "    timeout http-keep-alive 60s\n"
        "    timeout client 5m\n"
        "    timeout connect 2s\n"
        "    timeout server 5m\n"
        "    timeout queue 10s\n"
        "    timeout tunnel 1h\n"
        "    retries 3\n"
        "    retry-on conn-failure\n"
        "    option redispatch 1\n"
        // After a reload an idle client is told with its next answer to connect anew, not cut off in its next question.
        "    option idle-close-on-response\n"
        "    http-error status 502 content-type \"text/plain; charset=utf-8\" string \"The service broke off its "
        "answer.\\n\"\n"
        "    http-error status 503 content-type \"text/plain; charset=utf-8\" string \"No task of this service answers "
        "now: try again in a moment.\\n\"\n"
        "    http-error status 504 content-type \"text/plain; charset=utf-8\" string \"The service did not answer in "
        "time.\\n\"\n",
        structure_, worker_socket(settings_), empty_folder(settings_), settings_.uid, settings_.gid,
        settings_.connections_max);
    frontend("plain", settings_.http, "http", plain_);
    const auto list = certificate_list();
    const auto file = fmt::format("{}/certificates", structure_);
    config_.files[file] = list;
    frontend("secure",
             fmt::format("{} ssl crt-list {} alpn h2,http/1.1{}", settings_.https, path_of(file),
                         default_certificate_.empty() ? " strict-sni" : ""),
             "https", secure_);
    head_ += fmt::format(
        "\n"
        "backend {}\n"
        "    http-request redirect code 308 location https://%[var(txn.host)]{}%[pathq]\n"
        "\n"
        "backend unknown\n"
        "    http-request return status 404 content-type \"text/plain; charset=utf-8\" string \"No service is reached "
        "at "
        "this address.\\n\"\n",
        kRedirect, port_of(settings_.https) == "443" ? "" : ":" + port_of(settings_.https));
  }

  // One line a certificate, with the names that it is shown for. That of a route for any host is shown to whoever asks
  // for none of these; without one nothing is.
  std::string certificate_list() {
    std::string lines;
    default_certificate_.clear();
    for (const auto* service : services_) {
      const auto& route = service->route.route();
      const auto file = certificate_file(service->route);
      if (!has_tls(route)) continue;
      if (route.hosts().empty() && default_certificate_.empty()) {
        default_certificate_ = fmt::format("{}\n", path_of(file));
        continue;
      }
      lines += path_of(file);
      for (const auto& host : route.hosts()) lines += " " + host;
      lines += '\n';
    }
    return default_certificate_ + lines;  // the first is the default one
  }

  // What a request's route is, asked of each map in its turn, and what the service is told of the client.
  void frontend(const std::string& name, const std::string& bind, const std::string& scheme, const Maps& maps) {
    head_ += fmt::format(
        "\n"
        "frontend {0}\n"
        "    bind {1}\n"
        "    http-request del-header x-forwarded- -m beg\n"
        "    http-request del-header forwarded\n"
        "    http-request del-header x-real-ip\n"
        "    http-request set-header X-Forwarded-For %[src]\n"
        "    http-request set-header X-Forwarded-Proto {2}\n"
        "    http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
        "    http-request set-header X-Forwarded-Port %[dst_port]\n"
        "    http-request set-var(txn.host) req.hdr(host),host_only,lower\n"
        "    http-request deny deny_status 400 if {{ var(txn.host) -m sub / }}\n",
        name, bind, scheme);
    const auto is_asked = [&](HostKind kind) {
      return std::ranges::any_of(maps, [&](const auto& map) { return map.first.host == kind; });
    };
    if (is_asked(HostKind::kExact)) head_ += "    http-request set-var-fmt(txn.exact_host) %[var(txn.host)]%[path]\n";
    if (is_asked(HostKind::kWildcard))
      head_ += "    http-request set-var-fmt(txn.wildcard) .%[var(txn.host),field(2,.,0)]%[path]\n";
    if (is_asked(HostKind::kAny)) head_ += "    http-request set-var-fmt(txn.any_host) %[path]\n";
    int number = 0;
    for (const auto& [key, entries] : maps) {
      const auto file = fmt::format("{}/{}-{}.map", structure_, name, number);
      config_.files[file] = file_text(entries);
      constexpr const char* kVariables[] = {"exact_host", "wildcard", "any_host"};
      head_ += fmt::format("    http-request set-var(txn.route) var(txn.{}){},{}({}){}\n",
                           kVariables[static_cast<int>(key.host)], key.exact_path ? "" : ",concat(/)",
                           key.exact_path ? "map_str" : "map_beg", path_of(file),
                           number == 0 ? "" : " if !{ var(txn.route) -m found }");
      ++number;
    }
    if (number > 0) head_ += "    use_backend %[var(txn.route)] if { var(txn.route) -m found }\n";
    head_ += "    default_backend unknown\n";
  }

  static std::string backend_lines(const std::string& name, const v1::HttpRoute& route) {
    std::string lines = fmt::format("\nbackend {}\n", name);
    if (route.sticky()) {
      const bool always_secure = route.tls() != v1::HttpRoute::PLAIN && !route.plain_too();
      lines += fmt::format(
          "    dynamic-cookie-key {0}\n"
          "    cookie orchion-{0} insert indirect nocache dynamic httponly{1} attr \"SameSite=Lax\"\n",
          name, always_secure ? " secure" : "");
    }
    const auto path = without_end_slash(route.path());
    if (route.strip_path() && !path.empty()) {
      // Counted in bytes, the slash behind it too: what is left of "/api" is nothing, and the slash is put before it.
      lines += fmt::format(
          "    http-request set-header X-Forwarded-Prefix {}\n"
          "    http-request set-path /%[path,bytes({})]\n",
          quoted_format(path), path.size() + 1);
    }
    return lines;
  }

  static std::string server_lines(const Backend& backend) {
    std::string lines;
    for (const auto& [name, server] : backend.servers)
      lines += fmt::format("    server {} {}:{}{}\n", name, server.address, server.port,
                           server.tls ? " ssl verify none" : "");
    return lines;
  }

  const HaproxySettings& settings_;
  std::vector<const RoutedService*> services_;  // each name once
  Maps plain_;
  Maps secure_;
  Config config_;
  std::string structure_;
  std::string default_certificate_;
  std::string head_;
  std::map<std::string, std::string> tails_;  // by backend, without its servers
};

}  // namespace

std::string worker_socket(const HaproxySettings& settings) {
  return settings.folder + "/worker.sock";
}

std::string empty_folder(const HaproxySettings& settings) {
  return settings.folder + "/empty";
}

Config make_config(const HaproxySettings& settings, const std::vector<RoutedService>& services) {
  return ConfigWriter(settings, services).run();
}

}  // namespace orchion::mesh::ingress
