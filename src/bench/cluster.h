#pragma once

#include "cli/cli.h"

namespace orchion::bench {

// `orchion bench cluster`: a server of its own in a temporary folder, with nodes that only seem to run containers, and
// how soon tasks that are asked for are decided on, durable, and running. Returns the exit code.
int run_bench_cluster(cli::Context& context, const cli::BenchClusterFlags& flags);

}  // namespace orchion::bench
