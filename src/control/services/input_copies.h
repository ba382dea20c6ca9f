#pragma once

#include <functional>
#include <memory>

#include "base/stream.h"
#include "control/inputs/input_folder.h"
#include "control/services/context.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

// A new DispatcherService.OpenStream, on the server that leads.
using OpenLeaderStream =
    std::function<base::Co<std::unique_ptr<base::Stream<v1::StreamToAgent, v1::StreamFromAgent>>>()>;

// For a server that doesn't lead: gets what runs were given from the one that does, as soon as a run refers to it, so
// that it has it when it leads itself. `leads`: nothing is to be got then. Until it is cancelled.
base::Co<> copy_inputs(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs, OpenLeaderStream open,
                       std::function<bool()> leads);

}  // namespace orchion::control::services
