#pragma once

namespace orchion::node::shim {

// Writes what a container says into its segments, as containerd's "binary" logger: its output on descriptor 3 and its
// errors on 4; closing 5 says that we are ready. `target` is "ATTEMPT:BUNDLE"; the bundle's lock file is held until all
// is written. Source: https://github.com/containerd/containerd/blob/release/1.6/runtime/v2/README.md#binary
int log_output(const char* target);

}  // namespace orchion::node::shim
