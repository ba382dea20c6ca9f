#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "node/engine/engine_client.h"
#include "node/runtimes/attach/attach_input.h"

namespace orchion::node::runtimes::engine {

// Into a container's terminal, which the engine has.
std::unique_ptr<attach::AttachInput> open_engine_terminal(std::shared_ptr<node::engine::EngineClient> client,
                                                          std::string engine_id);

// Makes the fifo in `folder` that is the next attempt's input, and has `gate` (node/shim/gate) keep it open, which
// outlives us, until attach::end_pipe_input(). Blocks.
base::Result<> hold_input(const std::filesystem::path& gate, const std::filesystem::path& folder);

}  // namespace orchion::node::runtimes::engine
