#include "cli/network_users.h"

#include <algorithm>

#include <boost/json.hpp>

#include "cli/list.h"
#include "core/jobs.h"
#include "core/network_names.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

namespace json = boost::json;

core::NetworkName name_of(const v1::Network& network) {
  return {network.meta().stack(), network.meta().name()};
}

json::object user(const v1::Service& service, const v1::Network& network) {
  json::object out{{"service", service.meta().stack() + "/" + service.meta().name()}};
  json::array aliases;
  for (const auto& attachment : service.spec().container().networks())
    if (core::network_of(service.meta().stack(), attachment.network()) == name_of(network))
      for (const auto& alias : attachment.aliases()) aliases.emplace_back(alias);
  out["aliases"] = std::move(aliases);
  if (const auto* address = address_in(service.status().virtual_addresses(), network)) {
    out["virtualAddress"] = address->address();
    out["virtualAddress6"] = address->address6();
  }
  return out;
}

json::object user(const v1::Task& task, const v1::Network& network) {
  const auto& assignment = task.spec().assignment();
  const auto* address = address_in(assignment.addresses(), network);
  return {{"task", task.meta().stack() + "/" + core::short_name(task.spec())},
          {"node", assignment.node()},
          {"address", address->address()},
          {"address6", address->address6()},
          {"state", v1::TaskState_Name(task.status().state())}};
}

}  // namespace

const v1::NetworkAddress* address_in(const google::protobuf::RepeatedPtrField<v1::NetworkAddress>& addresses,
                                     const v1::Network& network) {
  const auto found = std::ranges::find(addresses, network.meta().uid(), &v1::NetworkAddress::network_uid);
  return found == addresses.end() ? nullptr : &*found;
}

std::vector<const v1::Service*> NetworkUsers::services_in(const v1::Network& network) const {
  std::vector<const v1::Service*> found;
  for (const auto& service : services)
    if (core::is_attached(service.meta().stack(), service.spec().container(), name_of(network)))
      found.push_back(&service);
  return found;
}

std::vector<const v1::Task*> NetworkUsers::tasks_in(const v1::Network& network) const {
  std::vector<const v1::Task*> found;
  for (const auto& task : tasks)
    if (address_in(task.spec().assignment().addresses(), network) != nullptr) found.push_back(&task);
  return found;
}

base::Result<NetworkUsers> read_network_users(Context& context) {
  NetworkUsers users;
  RETURN_IF_ERROR(read_pages<v1::ListServicesResponse>(
      context, "orchion.v1.ServiceService.ListServices", v1::ListServicesRequest(),
      [&](const auto& page) { std::ranges::copy(page.services(), std::back_inserter(users.services)); }));
  RETURN_IF_ERROR(read_pages<v1::ListTasksResponse>(
      context, "orchion.v1.TaskService.ListTasks", v1::ListTasksRequest(),
      [&](const auto& page) { std::ranges::copy(page.tasks(), std::back_inserter(users.tasks)); }));
  return users;
}

base::Result<std::string> with_users(const std::string& text, const v1::Network& network, const NetworkUsers& users) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object())
    return base::fail(base::Code::kDataLoss, "the server's answer is no JSON object: does its version fit?");
  json::array services, tasks;
  for (const auto* service : users.services_in(network)) services.push_back(user(*service, network));
  for (const auto* task : users.tasks_in(network)) tasks.push_back(user(*task, network));
  value.as_object()["services"] = std::move(services);
  value.as_object()["tasks"] = std::move(tasks);
  return json::serialize(value);
}

}  // namespace orchion::cli
