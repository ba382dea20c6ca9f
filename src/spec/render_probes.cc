// The checks of a service that `healthcheck` has no words for.

#include <string_view>
#include <vector>

#include "spec/render_service.h"

namespace orchion::spec {

namespace {

void render_way(const v1::HealthCheck& check, RenderWriter& yaml) {
  if (check.has_http()) {
    yaml.key("http");
    yaml.begin_map();
    yaml.number("port", check.http().port());
    yaml.field("path", check.http().path());
    yaml.flag("tls", check.http().tls());
    yaml.field("host", check.http().host());
    RenderWriter::Texts headers;
    for (const auto& header : check.http().headers()) headers[header.name()] = header.value();
    yaml.pairs("headers", headers);
    yaml.end_map();
  }
  if (check.has_tcp()) yaml.number("tcp", check.tcp().port());
  if (check.has_grpc()) {
    yaml.key("grpc");
    yaml.begin_map();
    yaml.number("port", check.grpc().port());
    yaml.field("service", check.grpc().service());
    yaml.end_map();
  }
  const auto& words = check.test().values();
  if (words.size() == 2 && words[0] == "CMD-SHELL") yaml.field("command", words[1]);
  if (words.size() > 1 && words[0] == "CMD")
    yaml.list("command", std::vector<std::string>(words.begin() + 1, words.end()));
}

void render_probe(std::string_view name, bool there, const v1::HealthCheck& check, RenderWriter& yaml) {
  if (!there) return;
  yaml.key(name);
  yaml.begin_map();
  render_way(check, yaml);
  render_check_figures(check, yaml);
  yaml.end_map();
}

}  // namespace

bool is_probe(const v1::HealthCheck& check) {
  return check.has_http() || check.has_tcp() || check.has_grpc();
}

bool needs_probes(const v1::ContainerSpec& container) {
  return is_probe(container.health_check()) || container.has_readiness() || container.has_startup();
}

void render_probes(const v1::ContainerSpec& container, RenderWriter& yaml) {
  yaml.key("health");
  yaml.begin_map();
  render_probe("liveness", is_probe(container.health_check()), container.health_check(), yaml);
  render_probe("readiness", container.has_readiness(), container.readiness(), yaml);
  render_probe("startup", container.has_startup(), container.startup(), yaml);
  yaml.end_map();
}

void render_check_figures(const v1::HealthCheck& check, RenderWriter& yaml) {
  yaml.duration("interval", check.has_interval(), check.interval());
  yaml.duration("timeout", check.has_timeout(), check.timeout());
  yaml.number_if("retries", check.retries());
  yaml.duration("start_period", check.has_start_period(), check.start_period());
  yaml.duration("start_interval", check.has_start_interval(), check.start_interval());
}

}  // namespace orchion::spec
