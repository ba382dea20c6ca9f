#pragma once

// The helper of program/, running. Private to this folder.

#include <memory>
#include <string>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/co.h"
#include "node/files/process.h"

namespace orchion::node::files {

// A child of this process. Ends with this: it is killed, and waited for the little that takes.
class Child {
 public:
  explicit Child(pid_t pid);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Child();

  const base::UniqueFd& handle() const { return handle_; }  // a pidfd

  // To be called when the handle says that it has ended: its status, as waitpid(2) has it.
  int reap();

 private:
  pid_t pid_;
  base::UniqueFd handle_;
};

struct StartedHelper {
  Child child;
  base::UniqueFd data;  // our end of its input or output
  base::UniqueFd errors;
};

enum class Direction { kFrom, kInto };

// Starts it for `process`. Blocks for some milliseconds.
base::Result<StartedHelper> start_helper(Direction direction, const Process& process, std::string path,
                                         bool follow_link);

// One executor.
class Helper {
 public:
  Helper(base::Executor executor, StartedHelper started);

  boost::asio::posix::stream_descriptor& data() { return data_; }

  // Waits for its end; what it said went wrong is the error. Once.
  base::Co<> ended();

 private:
  base::Co<std::string> read_errors();

  boost::asio::posix::stream_descriptor data_;
  boost::asio::posix::stream_descriptor errors_;
  Child child_;
};

}  // namespace orchion::node::files
