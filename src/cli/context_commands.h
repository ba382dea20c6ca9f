#pragma once

#include <string>

#include "cli/context.h"

namespace orchion::cli {

struct ContextAddOptions {
  std::string name;
  std::string server;
  bool use = false;  // from now on
};

int run_context_ls(Context& context);
int run_context_show(Context& context);
// The token's file is that of --token-file.
int run_context_add(Context& context, const ContextAddOptions& options);
int run_context_rm(Context& context, const std::string& name);

// `name` empty: the server of this machine.
int run_context_use(Context& context, const std::string& name);

}  // namespace orchion::cli
