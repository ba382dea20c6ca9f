#pragma once

#include <string>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// One entry of `x-orchion.jobs` has a job's own keys and most of a service's.
//
// What of it a service would say, as a service's entry: for load_service().
Node service_part(const Node& job);

// What is a job's own, as the API's message; container, constraints, labels and on_node_loss are the service's part.
// What is wrong with any key of the entry's own goes to the context's problems.
v1::JobSpec load_job(const std::string& name, const Node& job, LoadContext& context);

// One entry of `x-orchion.queues`.
v1::NamedQueue load_queue(const Node::Entry& entry, LoadContext& context);

}  // namespace orchion::spec
