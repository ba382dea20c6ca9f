#include "control/services/route_service.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include <fmt/core.h>

#include "control/services/paging.h"
#include "core/lifecycle.h"
#include "core/routes.h"
#include "core/task_state.h"
#include "core/timestamps.h"
#include "v1/control.pb.h"
#include "wire/tls/certificates.h"

namespace orchion::control::services {

namespace {

constexpr char kPlaceSeparator = '\0';  // in no name

// What the nodes with an ingress have in common, as far as one line can say it: the first that is ready speaks for all.
struct Entrance {
  bool is_there = false;
  std::uint32_t http_port = 0;
  std::uint32_t https_port = 0;
  std::string problem;  // of one of them
};

std::uint32_t port_of(const std::string& address) {
  std::uint32_t port = 0;
  const auto colon = address.rfind(':');
  if (colon != std::string::npos) std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return port;
}

Entrance entrance_of(const store::View& view) {
  Entrance entrance;
  for (const auto& [name, node] : view.nodes().all()) {
    if (node->status().state() != v1::NodeStatus::READY || !node->status().capabilities().has_ingress()) continue;
    const auto& ingress = node->status().capabilities().ingress();
    if (!entrance.is_there) {
      entrance.http_port = port_of(ingress.http());
      entrance.https_port = port_of(ingress.https());
    }
    entrance.is_there = true;
    if (entrance.problem.empty() && !ingress.message().empty())
      entrance.problem = fmt::format("node {}: {}", node->meta().name(), ingress.message());
  }
  return entrance;
}

std::uint32_t tasks_serving(const store::View& view, const v1::Service& service) {
  std::uint32_t count = 0;
  for (const auto& task : view.tasks_of_service(service.meta().stack(), service.meta().name()))
    if (task->spec().desired_state() == v1::DESIRED_RUNNING && task->status().state() == v1::RUNNING &&
        core::is_ready(task->status()))
      ++count;
  return count;
}

// Of what is shown, whoever made it; nullopt: nothing is.
std::optional<base::WallTime> expiry_of(const v1::HttpRoute& route, const CertificateFor& certificate_for) {
  std::string pem = route.certificate().pem();
  if (route.tls() == v1::HttpRoute::INTERNAL_AUTHORITY && certificate_for)
    pem = certificate_for({route.hosts().begin(), route.hosts().end()}).value_or("");
  const auto certificate = wire::tls::read_certificate(pem);
  if (!certificate) return std::nullopt;
  return certificate->not_after;
}

std::string message_of(const Entrance& entrance, const v1::RouteView& route, bool has_network, bool is_expired) {
  if (!entrance.is_there)
    return "no node takes HTTP: start the server with `orchion server --ingress`, or another node with `orchion agent "
           "--ingress`";
  if (!entrance.problem.empty()) return entrance.problem;
  if (!has_network) return "its network isn't made yet";
  if (is_expired) return "its certificate has expired: apply the stack with a new one";
  if (route.tasks_serving() == 0) return "no task of the service answers";
  return "";
}

struct RouteReader {
  ServiceContext context;
  RouteServiceOptions options;

  v1::RouteView view_of(const Entrance& entrance, const v1::Service& service, const v1::HttpRoute& route) const {
    const auto& view = context.objects.view();
    v1::RouteView out;
    out.set_stack(service.meta().stack());
    out.set_service(service.meta().name());
    *out.mutable_route() = route;
    for (auto& address : core::route_addresses(route, entrance.http_port, entrance.https_port))
      out.add_addresses(std::move(address));
    out.set_tasks_serving(tasks_serving(view, service));
    const auto expiry = route.tls() == v1::HttpRoute::PLAIN ? std::nullopt : expiry_of(route, options.certificate_for);
    if (expiry) *out.mutable_certificate_expires_at() = core::to_timestamp(*expiry);
    const bool is_expired = expiry && *expiry < context.clock.wall();
    out.set_message(message_of(entrance, out, network_of_route(view, service, route) != nullptr, is_expired));
    return out;
  }
};

std::vector<const v1::HttpRoute*> routes_by_name(const v1::Service& service) {
  std::vector<const v1::HttpRoute*> routes;
  for (const auto& route : service.spec().routes()) routes.push_back(&route);
  std::ranges::sort(routes, {}, [](const auto* route) -> const std::string& { return route->name(); });
  return routes;
}

// Where a route stands in the list of all; before it come its service's of lesser names.
store::ObjectName place_of(const v1::Service& service, const v1::HttpRoute& route) {
  return {service.meta().stack(), service.meta().name() + kPlaceSeparator + route.name()};
}

store::ObjectName service_at(const store::ObjectName& place) {
  return {place.stack, place.name.substr(0, place.name.find(kPlaceSeparator))};
}

base::Co<v1::ListRoutesResponse> list(std::shared_ptr<const RouteReader> reader, v1::ListRoutesRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  const auto& view = reader->context.objects.view();
  v1::ListRoutesResponse response;
  response.set_revision(reader->context.objects.bookmark().text());
  const auto entrance = entrance_of(view);
  const auto& services = view.services().all();
  store::ObjectName last;
  for (auto it = page.after ? services.lower_bound(service_at(*page.after)) : services.begin(); it != services.end();
       ++it) {
    const auto& service = *it->second;
    if (core::is_deleted(service.meta()) || (!request.stack().empty() && request.stack() != service.meta().stack()))
      continue;
    for (const auto* route : routes_by_name(service)) {
      auto place = place_of(service, *route);
      if (page.after && place <= *page.after) continue;
      if (static_cast<std::size_t>(response.routes_size()) == page.size) {
        response.set_next_page_token(page_token_after(last));
        co_return response;
      }
      *response.add_routes() = reader->view_of(entrance, service, *route);
      last = std::move(place);
    }
  }
  co_return response;
}

base::Co<v1::RouteAuthority> get_authority(std::shared_ptr<const RouteReader> reader) {
  v1::RouteAuthority authority;
  authority.set_certificate(reader->options.authority);
  co_return authority;
}

}  // namespace

void add_route_service(core::MethodTable& table, ServiceContext context, RouteServiceOptions options) {
  const auto reader = std::make_shared<const RouteReader>(RouteReader{context, std::move(options)});
  table.unary<v1::ListRoutesRequest, v1::ListRoutesResponse>(
      "orchion.v1.RouteService.ListRoutes",
      [reader](core::CallContext, v1::ListRoutesRequest request) { return list(reader, std::move(request)); });
  table.unary<v1::GetRouteAuthorityRequest, v1::RouteAuthority>(
      "orchion.v1.RouteService.GetRouteAuthority",
      [reader](core::CallContext, v1::GetRouteAuthorityRequest) { return get_authority(reader); });
}

}  // namespace orchion::control::services
