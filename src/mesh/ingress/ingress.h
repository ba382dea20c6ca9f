#pragma once

#include <string>
#include <vector>

#include "base/co.h"
#include "v1/dispatcher.pb.h"
#include "v1/objects.pb.h"

namespace orchion::mesh::ingress {

// A task that answers the requests of a route.
struct Server {
  std::string name;     // the task's uid
  std::string address;  // IPv4

  bool operator==(const Server&) const = default;
};

struct RoutedService {
  v1::RouteAssignment route;
  std::vector<Server> servers;  // perhaps none
};

// What takes HTTP on this machine and hands it to tasks. One executor.
class Ingress {
 public:
  virtual ~Ingress() = default;

  // Makes these the routes there are, whatever was before; none: nothing listens any more. True when it is all done;
  // false where servers are still finishing requests and go with a later call. One call at a time. An error leaves what
  // was there before at work.
  virtual base::Co<bool> apply(std::vector<RoutedService> services) = 0;

  // Whether what the last apply() left at work still is.
  virtual base::Co<bool> is_up() = 0;

  // What nodes say of it. Thread-safe.
  virtual v1::IngressInfo info() const = 0;
};

}  // namespace orchion::mesh::ingress
