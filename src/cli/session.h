#pragma once

// What exec, attach and run have in common: this terminal, or these pipes, as the input and output of a process far
// away.

#include <memory>

#include "cli/detach_keys.h"
#include "client/api_client.h"
#include "v1/control.pb.h"

namespace orchion::cli {

struct SessionOptions {
  bool input = false;  // standard input is passed on, to its end
  bool tty = false;    // it has a terminal: whose size is ours, also when that changes
  DetachKeys keys = {};
};

struct SessionEnd {
  int exit_code = 0;
  bool detached = false;  // the keys were typed: it goes on
};

// Until the process ends, or is left. `Input` is ExecInput or AttachInput, `start` its first message.
template <class Input>
base::Co<SessionEnd> run_session(std::shared_ptr<client::ApiClient> api, Input start, SessionOptions options);

// As "-it" promises: kInvalidArgument where standard input is no terminal.
base::Result<> check_terminal();

}  // namespace orchion::cli
