#pragma once

// Our side of the gate: the socket it connects to.

#include <filesystem>
#include <memory>
#include <string>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/clock.h"
#include "base/file.h"

namespace orchion::node::runtimes::engine {

// A gate that waits for a word. Destroyed without one it leaves the gate where it is: it connects again. One executor.
class WaitingGate {
 public:
  WaitingGate(base::Executor executor, base::UniqueFd connection, std::int64_t pid);

  std::int64_t pid() const { return pid_; }

  // Lets it become its program. kNotFound: that doesn't exist; kPermissionDenied: it isn't executable. `limit` bounds
  // the wait for what comes of it; `clock` must outlive the call.
  base::Co<> go(base::Clock& clock, base::Duration limit, std::string program);

  // Ends it.
  void dismiss();

 private:
  base::Co<int> read_failure();

  boost::asio::posix::stream_descriptor connection_;
  std::int64_t pid_;
};

// Listens in a folder that is mounted into the container; what it made there goes with it. One executor.
class GateDoor {
 public:
  // Blocks for a system call or two. `name` is the socket's.
  static base::Result<std::unique_ptr<GateDoor>> open(base::Executor executor, const std::filesystem::path& folder,
                                                      std::string name);
  ~GateDoor();
  GateDoor(const GateDoor&) = delete;
  GateDoor& operator=(const GateDoor&) = delete;

  base::Co<std::unique_ptr<WaitingGate>> accept(base::Clock& clock, base::Duration limit);

 private:
  GateDoor(base::Executor executor, base::UniqueFd folder, std::string name);
  base::Co<std::unique_ptr<WaitingGate>> accept_one();

  boost::asio::posix::stream_descriptor listener_;
  base::UniqueFd folder_;
  std::string name_;
};

// A gate that waits is this process now. Blocks for a read of /proc.
bool is_waiting_gate(std::int64_t pid);

}  // namespace orchion::node::runtimes::engine
