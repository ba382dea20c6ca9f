#pragma once

// A run from outside: what names it, and how it ends.

#include <memory>
#include <optional>
#include <string>

#include "cli/context.h"
#include "v1/objects.pb.h"

namespace orchion::cli {

struct RunAddress {
  std::string stack;
  std::string run;  // or its job: then the newest of it is meant

  std::string text() const { return stack + "/" + run; }
};

// "shop/encode.7", "shop/encode", or without the stack, which is found as elsewhere.
base::Result<RunAddress> find_run(Context& context, const std::string& what);

// What waiting for a run's end comes to: 0 where it succeeded, else the exit code of the container that failed it, else
// kExitFailed.
int exit_code_of(const v1::Run& run);

// Waits until the run is over, through restarts of the server; with `follow` its output is printed meanwhile. Says on
// standard error what came of it, prints it where an object is wanted, and returns its exit code. After `limit`
// kExitTimedOut: the run goes on.
int wait_for_run(Context& context, std::shared_ptr<client::ApiClient> api, const v1::Run& run, bool follow,
                 std::optional<base::Duration> limit);

}  // namespace orchion::cli
