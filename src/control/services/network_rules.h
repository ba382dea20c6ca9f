#pragma once

// What of networks can be judged only where all stacks are known. Pure: the view is asked, nothing is written.

#include <string>
#include <vector>

#include "base/error.h"
#include "control/store/view.h"
#include "core/network_names.h"
#include "v1/specs.pb.h"

namespace orchion::control::services {

// kFailedPrecondition where `spec`, a valid manifest of `stack`, can't stand beside the others: a subnet overlaps
// another network's, or is changed under a network that is there; a network of another stack isn't there; one that
// others use would go. Pointers are those of an ApplyStackRequest.
base::Result<> check_network_rules(const store::View& view, const std::string& stack, const v1::StackSpec& spec);

// The part of it about one new network; pointers begin at "/spec".
base::Result<> check_new_network(const store::View& view, const core::NetworkName& name, const v1::NetworkSpec& spec);

// The part of it about one container, whose spec is at `at`: every network of another stack that it joins is there.
base::Result<> check_joined_networks(const store::View& view, const std::string& stack,
                                     const v1::ContainerSpec& container, const std::string& at);

// A manifest names it, or it stands and isn't being removed.
bool is_network(const store::View& view, const core::NetworkName& network);

// The services and jobs that join it, by the manifests of stacks that stay: "shop/web". In the order of their names.
std::vector<std::string> users_of(const store::View& view, const core::NetworkName& network);

}  // namespace orchion::control::services
