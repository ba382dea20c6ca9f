#pragma once

#include "cli/cli.h"

namespace orchion::bench {

// `orchion bench load`: a server of its own in a temporary folder under steady use (agents that give signs of life,
// people who watch, ask and change), and how soon each is answered. Returns the exit code.
int run_bench_load(cli::Context& context, const cli::BenchLoadFlags& flags);

}  // namespace orchion::bench
