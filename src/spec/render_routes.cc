// `x-orchion: {routes: …}` of a service.

#include "spec/render_service.h"

namespace orchion::spec {

namespace {

// "file:CERTIFICATE", or "file:CERTIFICATE,KEY".
void render_tls(const v1::HttpRoute& route, RenderWriter& yaml) {
  if (route.tls() == v1::HttpRoute::PLAIN) return;
  if (route.tls() == v1::HttpRoute::INTERNAL_AUTHORITY) return yaml.field("tls", "internal");
  auto origin = route.certificate().origin();
  if (origin.starts_with("file:")) origin.erase(0, 5);
  const auto comma = origin.find(',');
  yaml.key("tls");
  yaml.begin_map();
  yaml.field("certificate", origin.substr(0, comma));
  if (comma != std::string::npos) yaml.field("key", origin.substr(comma + 1));
  yaml.end_map();
}

void render_route(const v1::HttpRoute& route, RenderWriter& yaml) {
  yaml.begin_map();
  yaml.field("name", route.name());
  yaml.list_if("hosts", route.hosts());
  yaml.field("path", route.path());
  yaml.flag("exact", route.exact());
  yaml.number("port", route.port());
  yaml.field("network", route.network().empty() ? "" : local_network_name(route.network()));
  yaml.number_if("priority", route.priority());
  render_tls(route, yaml);
  yaml.flag("plain_too", route.plain_too());
  yaml.flag("strip_path", route.strip_path());
  yaml.flag("sticky", route.sticky());
  yaml.flag("service_tls", route.service_has_tls());
  yaml.end_map();
}

}  // namespace

void render_routes(const v1::ServiceSpec& spec, RenderWriter& yaml) {
  yaml.key("routes");
  yaml.begin_list();
  for (const auto& route : spec.routes()) render_route(route, yaml);
  yaml.end_list();
}

}  // namespace orchion::spec
