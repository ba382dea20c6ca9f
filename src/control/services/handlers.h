#pragma once

#include <memory>

#include "control/inputs/input_folder.h"
#include "control/services/context.h"
#include "control/services/dispatcher.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// The part of it that agents use.
void add_agent_handlers(core::MethodTable& table, ServiceContext context, Dispatcher& dispatcher, NodeStreams& streams,
                        std::shared_ptr<inputs::InputFolder> inputs);

// Adds every handler of the contract to `table` but those of join_service.h, channel_service.h and route_service.h.
// `dispatcher` and `streams` outlive it. `inputs` may be null: then no run can be given any.
void add_handlers(core::MethodTable& table, ServiceContext context, Dispatcher& dispatcher, NodeStreams& streams,
                  std::shared_ptr<inputs::InputFolder> inputs, std::function<v1::ServerInfo()> info);

}  // namespace orchion::control::services
