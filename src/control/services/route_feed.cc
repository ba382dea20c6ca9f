#include "control/services/route_feed.h"

#include <algorithm>

#include <google/protobuf/util/message_differencer.h>

#include "base/log.h"
#include "core/lifecycle.h"
#include "core/routes.h"

namespace orchion::control::services {

std::shared_ptr<const v1::Network> network_of_route(const store::View& view, const v1::Service& service,
                                                    const v1::HttpRoute& route) {
  const auto name = core::network_of_route(service.meta().stack(), service.spec(), route);
  auto network = view.networks().find(name.stack, name.name);
  return network && !network->status().subnet().empty() ? network : nullptr;
}

bool has_ingress(const store::View& view, const std::string& node_uid) {
  const auto node = view.nodes().find_uid(node_uid);
  return node && node->status().capabilities().has_ingress();
}

bool RouteFeed::is_touched_by(const store::ObjectStore::Commit& commit) const {
  return std::ranges::any_of(commit.changes, [&](const store::ObjectChange& change) {
    if (change.kind == "Node")
      return change.after && static_cast<const v1::Node&>(*change.after).meta().uid() == node_uid_;
    return change.kind == "Service" || change.kind == "Network";
  });
}

v1::RouteAssignments RouteFeed::routes_of(const store::View& view) const {
  v1::RouteAssignments out;
  if (!has_ingress(view, node_uid_)) return out;
  for (const auto& [name, service] : view.services().all()) {
    if (core::is_deleted(service->meta())) continue;
    for (const auto& route : service->spec().routes()) {
      const auto network = network_of_route(view, *service, route);
      if (!network) continue;
      auto& told = *out.add_routes();
      told.set_stack(name.stack);
      told.set_service(name.name);
      told.set_network_uid(network->meta().uid());
      *told.mutable_route() = route;
      if (route.tls() != v1::HttpRoute::INTERNAL_AUTHORITY || !certificate_for_) continue;
      auto certificate = certificate_for_({route.hosts().begin(), route.hosts().end()});
      if (certificate) {
        told.mutable_route()->mutable_certificate()->set_pem(*std::move(certificate));
      } else {
        base::log::warn("no certificate for route {} of {}/{}: {}", route.name(), name.stack, name.name,
                        certificate.error().message);
      }
    }
  }
  return out;
}

bool RouteFeed::tell(const store::View& view, v1::Assignments& out) {
  auto routes = routes_of(view);
  if (google::protobuf::util::MessageDifferencer::Equals(routes, told_)) return false;
  told_ = routes;
  *out.mutable_routes() = std::move(routes);
  return true;
}

std::set<std::string> RouteFeed::networks() const {
  std::set<std::string> uids;
  for (const auto& route : told_.routes()) uids.insert(route.network_uid());
  return uids;
}

}  // namespace orchion::control::services
