// `x-orchion: {health: …}` of a service.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kPortMax = 65535;

std::optional<std::uint32_t> read_port(const Node& node, std::string_view what, Problems& problems) {
  const auto port = read_integer(node, what, 1, kPortMax, problems);
  return port ? std::optional(static_cast<std::uint32_t>(*port)) : std::nullopt;
}

// Of a map that has to say it.
std::uint32_t load_port(const Node& map, std::string_view kind, Problems& problems) {
  if (const auto* port = find_value(map, "port")) return read_port(*port, "port", problems).value_or(0);
  problems.add(map.at, fmt::format("`{}` has no `port`: name the container's port to ask", kind));
  return 0;
}

// "http://:8080/healthz", "https://shop.example:8443".
void load_address(const Node& node, v1::HttpProbe& probe, Problems& problems) {
  const auto refuse = [&] {
    problems.add(node.at, fmt::format("`{}` isn't an address to ask: write http://:PORT/PATH, https://:PORT/PATH, or a "
                                      "map with `port` and `path`",
                                      node.text));
  };
  std::string_view rest = node.text;
  probe.set_tls(rest.starts_with("https://"));
  if (!probe.tls() && !rest.starts_with("http://")) return refuse();
  rest.remove_prefix(probe.tls() ? 8 : 7);
  const auto slash = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = rest.substr(0, slash);
  const auto path = rest.substr(slash);
  const auto colon = authority.rfind(':');
  const auto port = colon == std::string_view::npos ? std::optional<std::int64_t>(probe.tls() ? 443 : 80)
                                                    : parse_integer(authority.substr(colon + 1));
  if (!port || *port < 1 || *port > kPortMax || path.starts_with('?')) return refuse();
  probe.set_port(static_cast<std::uint32_t>(*port));
  probe.set_path(std::string(path));
  const auto host = authority.substr(0, std::min(colon, authority.size()));
  if (host.find_first_of(" @[]") != std::string_view::npos) return refuse();
  // These two say nothing: it is always the container that is asked.
  if (host != "localhost" && host != "127.0.0.1") probe.set_host(std::string(host));
}

void load_http(const Node& node, v1::HttpProbe& probe, Problems& problems) {
  if (node.is_scalar()) return load_address(node, probe, problems);
  if (!expect_map(node, "http", problems)) return;
  check_keys(node, kHttpProbeKeys, problems);
  probe.set_port(load_port(node, "http", problems));
  if (const auto* path = find_value(node, "path")) probe.set_path(read_text(*path, "path", problems).value_or(""));
  if (const auto* tls = find_value(node, "tls")) probe.set_tls(read_bool(*tls, "tls", problems).value_or(false));
  if (const auto* host = find_value(node, "host")) probe.set_host(read_text(*host, "host", problems).value_or(""));
  const auto* headers = find_value(node, "headers");
  if (!headers) return;
  for (const auto& pair : read_pairs(*headers, "headers", problems)) {
    auto& header = *probe.add_headers();
    header.set_name(pair.key);
    header.set_value(pair.value.value_or(""));
  }
}

void load_grpc(const Node& node, v1::GrpcProbe& probe, Problems& problems) {
  if (node.is_scalar()) return probe.set_port(read_port(node, "grpc", problems).value_or(0));
  if (!expect_map(node, "grpc", problems)) return;
  check_keys(node, kGrpcProbeKeys, problems);
  probe.set_port(load_port(node, "grpc", problems));
  if (const auto* service = find_value(node, "service"))
    probe.set_service(read_text(*service, "service", problems).value_or(""));
}

void load_command(const Node& node, v1::StringList& test, Problems& problems) {
  if (node.is_scalar()) {
    test.add_values("CMD-SHELL");
    test.add_values(node.text);
    return;
  }
  const auto words = read_list(node, "command", Single::kRefused, problems);
  if (words.empty()) problems.add(node.at, "`command` names no program: write [program, arguments…], or a line");
  test.add_values("CMD");
  for (const auto& word : words) test.add_values(word);
}

v1::HealthCheck load_probe(const Node& node, std::string_view what, Problems& problems) {
  v1::HealthCheck check;
  if (!expect_map(node, what, problems)) return check;
  check_keys(node, kProbeKeys, problems);
  int ways = 0;
  const auto find = [&](std::string_view key) {
    const auto* value = find_value(node, key);
    ways += value ? 1 : 0;
    return value;
  };
  if (const auto* http = find("http")) load_http(*http, *check.mutable_http(), problems);
  if (const auto* tcp = find("tcp")) check.mutable_tcp()->set_port(read_port(*tcp, "tcp", problems).value_or(0));
  if (const auto* grpc = find("grpc")) load_grpc(*grpc, *check.mutable_grpc(), problems);
  if (const auto* command = find("command")) load_command(*command, *check.mutable_test(), problems);
  if (ways == 0)
    problems.add(node.at,
                 fmt::format("`{}` doesn't say what to ask: give it one of http, tcp, grpc and command", what));
  if (ways > 1) problems.add(node.at, fmt::format("`{}` asks in {} ways: keep one of them", what, ways));
  load_check_figures(node, check, problems);
  return check;
}

}  // namespace

void load_probes(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  const auto* orchion = find_value(service, "x-orchion");
  const auto* health = orchion ? find_value(*orchion, "health") : nullptr;
  if (!health || !expect_map(*health, "health", problems)) return;
  check_keys(*health, kProbesKeys, problems);
  if (const auto* liveness = find_value(*health, "liveness")) {
    if (find_value(service, "healthcheck"))
      problems.add(liveness->at, "`liveness` and the service's `healthcheck` are the same check: keep one of them");
    *container.mutable_health_check() = load_probe(*liveness, "liveness", problems);
  }
  if (const auto* readiness = find_value(*health, "readiness"))
    *container.mutable_readiness() = load_probe(*readiness, "readiness", problems);
  if (const auto* startup = find_value(*health, "startup"))
    *container.mutable_startup() = load_probe(*startup, "startup", problems);
}

}  // namespace orchion::spec
