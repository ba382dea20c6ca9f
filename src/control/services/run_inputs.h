#pragma once

// Inputs of runs between the server and the nodes.

#include <memory>

#include "control/inputs/input_folder.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"

namespace orchion::control::services {

// Answers an agent's InputFetch: the tar in pieces, an empty one at its end. kNotFound where no task of that node was
// given it.
base::Co<> send_input(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs, core::CallContext call,
                      v1::InputFetch fetch, AgentStream to);

// From time to time removes what no run refers to. Until it is cancelled.
base::Co<> sweep_inputs(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs);

}  // namespace orchion::control::services
