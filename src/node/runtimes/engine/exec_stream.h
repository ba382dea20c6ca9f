#pragma once

#include <memory>

#include "base/file.h"
#include "base/stream.h"
#include "node/engine/engine_client.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

struct RunningExec {
  std::string id;  // the engine's
  std::unique_ptr<wire::RawStream> stream;
  base::UniqueFd process;  // a pidfd: it is killed when the stream is destroyed before its end
  bool tty = false;
};

// `clock` must outlive it.
std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_exec_stream(
    std::shared_ptr<node::engine::EngineClient> client, base::Clock& clock, RunningExec exec);

// Output of both streams as the engine interleaves it: frames of a stream's number and a length. Pure.
class FrameReader {
 public:
  void put(std::string_view bytes) { unread_ += bytes; }

  // The next piece that is there; nullopt: more bytes are wanted.
  std::optional<ExecOutput> next();

 private:
  std::string unread_;
};

}  // namespace orchion::node::runtimes::engine
