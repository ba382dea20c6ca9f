#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/file.h"
#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

// A running exec's ends on this side. With a terminal `in` and `out` are the same one and `error` is empty.
struct ExecDescriptors {
  base::UniqueFd report;  // the shim's; closing it kills the process
  std::string reported;   // what came after the start: a short command may have ended by then
  base::UniqueFd in;      // empty: no input
  base::UniqueFd out;
  base::UniqueFd error;
  base::UniqueFd listener;       // where the terminal will come from
  std::filesystem::path folder;  // the exec's own, removed by its owner once it runs
  bool tty = false;

  // Where another program has the terminal's other side, and keeps the input open: both are its to do.
  std::function<base::Co<>(std::uint16_t columns, std::uint16_t rows)> resize = {};
  std::function<void()> input_ended = {};
};

// Spawns the shim of an exec. kFailedPrecondition where the container doesn't run. Blocks.
base::Result<ExecDescriptors> begin_exec(const BundleStore& store, const std::filesystem::path& shim, std::string id,
                                         ExecConfig config);

// After the shim has reported the start: takes the terminal, where there is one. Doesn't block.
base::Result<> take_terminal(ExecDescriptors& exec);

// The stream over them. One executor.
std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_exec_stream(base::Executor executor, ExecDescriptors exec);

}  // namespace orchion::node::runtimes::bundle
