#pragma once

#include <memory>

#include "node/runtimes/attach/attach_input.h"
#include "node/runtimes/attach/attach_output.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::attach {

struct AttachParts {
  std::unique_ptr<AttachOutput> output;
  std::unique_ptr<AttachInput> input;  // null: neither input nor a terminal
  bool takes_input = false;            // false: `input` is only asked for its terminal's size
};

using AttachedStream = base::Stream<ExecOutput, ExecInput>;

// `end` is the runtime's wait for the attempt; it is cancelled when the stream is destroyed.
std::unique_ptr<AttachedStream> make_attach_stream(base::Executor executor, AttachParts parts,
                                                   base::Co<ExitStatus> end);

// That the container takes input where it is asked for: kFailedPrecondition, with what to do.
base::Result<> check_input(const AttachConfig& config, bool stdin_open);

// kFailedPrecondition for one that never ran.
base::Error never_started(const std::string& id);

}  // namespace orchion::node::runtimes::attach
