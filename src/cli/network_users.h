#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "v1/objects.pb.h"

namespace orchion::cli {

// Who is in which network: all services and the tasks there are.
struct NetworkUsers {
  std::vector<v1::Service> services;
  std::vector<v1::Task> tasks;

  std::vector<const v1::Service*> services_in(const v1::Network& network) const;
  std::vector<const v1::Task*> tasks_in(const v1::Network& network) const;
};

base::Result<NetworkUsers> read_network_users(Context& context);

// The one of that network; nullptr where there is none.
const v1::NetworkAddress* address_in(const google::protobuf::RepeatedPtrField<v1::NetworkAddress>& addresses,
                                     const v1::Network& network);

// `json`, a Network as the server printed it, with "services" and "tasks" that are in it. Pure.
base::Result<std::string> with_users(const std::string& json, const v1::Network& network, const NetworkUsers& users);

}  // namespace orchion::cli
