#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::attach {

// The way into a container. One executor; one call at a time. What the container no longer takes is dropped, as a
// terminal would.
class AttachInput {
 public:
  virtual ~AttachInput() = default;

  // Waits while the container doesn't read.
  virtual base::Co<> write(std::string data) = 0;

  // The container's input ends for good, a terminal's excepted, which is told by its own sign.
  virtual base::Co<> end() = 0;

  // Of its terminal; nothing where it has none.
  virtual base::Co<> resize(std::uint16_t columns, std::uint16_t rows) = 0;
};

// Into the fifo in `folder` (node/shim/input_pipe.h), whoever keeps it open; dropped where nobody does. All writers of
// this process that end it agree, since none keeps it open between two writes.
std::unique_ptr<AttachInput> open_pipe_input(base::Executor executor, std::filesystem::path folder);

// Ends such an input for good. No error where nobody has it, or there is none. Blocks a moment.
base::Result<> end_pipe_input(const std::filesystem::path& folder);

// Into the near end of a terminal.
std::unique_ptr<AttachInput> open_terminal_input(base::Executor executor, base::UniqueFd terminal);

// What a terminal takes for the end of input.
constexpr char kEndOfTransmission = 4;

}  // namespace orchion::node::runtimes::attach
