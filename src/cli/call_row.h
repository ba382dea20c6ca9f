#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/archive_body.h"
#include "cli/context.h"

namespace orchion::cli {

// "12 MB of 40 MB sent (30 %)"
std::string text_of(const Sent& sent);

// Runs `call` with one row on a terminal: what is done with `name`, by `text`, and for how long; how it ended.
base::Result<std::string> run_with_row(Context& context, const std::string& name, std::function<std::string()> text,
                                       base::Co<std::string> call);

}  // namespace orchion::cli
