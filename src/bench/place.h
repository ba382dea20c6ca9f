#pragma once

// `orchion bench place`: the server's scheduler without a server, on a trace of tasks or a load that is made up.

#include "cli/cli.h"

namespace orchion::bench {

int run_bench_place(cli::Context& context, const cli::BenchPlaceFlags& flags);

}  // namespace orchion::bench
