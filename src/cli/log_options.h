#pragma once

#include <CLI/App.hpp>

#include "cli/commands.h"

namespace orchion::cli {

// Which lines, and how they are printed: the same for services and jobs. `options` outlives the command.
void add_log_options(CLI::App& command, LogsOptions& options);

}  // namespace orchion::cli
