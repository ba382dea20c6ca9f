#pragma once

// Services whose tasks live in the networks of another service's tasks: NetworkMode.OF_SERVICE. Task k of the one is
// in the network namespace of task k of the other.

#include <string>
#include <string_view>

#include "v1/objects.pb.h"
#include "v1/specs.pb.h"

namespace orchion::core {

bool shares_network(const v1::ContainerSpec& container);
bool shares_network(const v1::Task& task);  // its assignment's addresses are the other task's

// Why `service` can't share what it names, with what to do about it; empty: it can. Total:
// also before defaults are filled in.
std::string shared_network_problem(const v1::StackSpec& spec, const v1::NamedService& service);

// It waits for the service whose network it shares, whatever else it says.
void depend_on_shared_network(v1::ServiceSpec& spec);

}  // namespace orchion::core
