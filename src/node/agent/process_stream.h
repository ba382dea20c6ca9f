#pragma once

// What exec and attach have in common: a process's input and output on a stream to the control plane.

#include <memory>
#include <optional>

#include "node/agent/control_link.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::agent {

using ProcessEnd = base::Stream<runtimes::ExecOutput, runtimes::ExecInput>;

// The input in a message; nullopt: it has none.
using ReadInput = std::optional<runtimes::ExecInput> (*)(v1::StreamToAgent message);

// Both ways, until the exit code was sent or the user's side is gone.
base::Co<> carry_process(std::shared_ptr<ProcessEnd> process, std::shared_ptr<DataStream> stream, ReadInput read);

v1::StreamFromAgent to_message(runtimes::ExecOutput output);

// A terminal's width or height on the wire; 0 there means that it wasn't said.
std::uint16_t cells(std::uint32_t count, std::uint16_t unset);

// Of ExecInput and AttachInput, which say the same.
template <class Message>
std::optional<runtimes::ExecInput> to_input(Message message) {
  runtimes::ExecInput input;
  switch (message.input_case()) {
    case Message::kData: input.data = std::move(*message.mutable_data()); return input;
    case Message::kEnd: input.end = true; return input;
    case Message::kResize:
      input.resize.emplace(cells(message.resize().columns(), 80), cells(message.resize().rows(), 24));
      return input;
    default: return std::nullopt;
  }
}

}  // namespace orchion::node::agent
