#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "control/store/object_store.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// The internal authority's certificate with its key for these hosts, PEM: the same again until it is due.
using CertificateFor = std::function<base::Result<std::string>(const std::vector<std::string>& hosts)>;

// The network in which a route's service is reached; null: it isn't there, or has no addresses (yet).
std::shared_ptr<const v1::Network> network_of_route(const store::View& view, const v1::Service& service,
                                                    const v1::HttpRoute& route);

// Whether the node takes HTTP for services.
bool has_ingress(const store::View& view, const std::string& node_uid);

// What one session is told of HTTP routes, where its node has an ingress: all of them, again whenever one changes. One
// whose certificate can't be made is told without, and is served plainly nowhere. No I/O.
class RouteFeed {
 public:
  RouteFeed(std::string node_uid, CertificateFor certificate_for)
      : node_uid_(std::move(node_uid)), certificate_for_(std::move(certificate_for)) {}

  // Nothing was told.
  void clear() { told_.Clear(); }

  bool is_told() const { return told_.routes_size() > 0; }

  // Whether a commit may have changed them.
  bool is_touched_by(const store::ObjectStore::Commit& commit) const;

  // False: they are as they were told.
  bool tell(const store::View& view, v1::Assignments& out);

  // Uids of the networks in which their services are reached.
  std::set<std::string> networks() const;

 private:
  v1::RouteAssignments routes_of(const store::View& view) const;

  std::string node_uid_;
  CertificateFor certificate_for_;
  v1::RouteAssignments told_;
};

}  // namespace orchion::control::services
