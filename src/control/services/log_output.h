#pragma once

// Lines as users get them: one by one with what they say of themselves, or as text.

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// TaskService.Logs
base::Co<> send_log_lines(ServiceContext context, NodeStreams& streams,
                          core::TypedStream<v1::LogsRequest, v1::LogLine> stream);

// TaskService.LogText
base::Co<> send_log_text(ServiceContext context, NodeStreams& streams,
                         core::TypedStream<v1::LogsRequest, v1::FilePiece> stream);

}  // namespace orchion::control::services
