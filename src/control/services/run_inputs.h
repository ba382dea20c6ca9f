#pragma once

// Inputs of runs between the server and the nodes.

#include <memory>
#include <set>
#include <string>

#include "control/inputs/input_folder.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"

namespace orchion::control::services {

// Digests of what the runs that there are were given.
std::set<std::string> inputs_of_runs(const store::View& view);

// Answers an InputFetch: the tar in pieces, an empty one at its end. kNotFound where no task of that node was given it,
// or, where another server asks, which names no task, no run.
base::Co<> send_input(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs, core::CallContext call,
                      v1::InputFetch fetch, AgentStream to);

// From time to time removes what no run refers to. Until it is cancelled.
base::Co<> sweep_inputs(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs);

}  // namespace orchion::control::services
