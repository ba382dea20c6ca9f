#pragma once

// A server for benchmarks: a process of its own on a folder of its own, both gone at the end.

#include <memory>
#include <string>

#include <sys/types.h>

#include "base/error.h"
#include "client/connection.h"

namespace orchion::bench {

// What one process has had of the machine.
struct ProcessUse {
  double cpu_seconds = 0;
  std::int64_t peak_rss_bytes = 0;
};

ProcessUse use_of(pid_t pid);

class BenchServer {
 public:
  // `orchion server` as anybody starts it, without an agent, on free ports of the loopback address and a folder below
  // $TMPDIR.
  static base::Result<std::unique_ptr<BenchServer>> start();

  // Stops it and removes its folder; says on standard error where that can't be done.
  ~BenchServer();
  BenchServer(const BenchServer&) = delete;
  BenchServer& operator=(const BenchServer&) = delete;

  const std::string& grpc() const { return grpc_; }  // "127.0.0.1:4601"
  const client::Connection& connection() const { return connection_; }
  ProcessUse use() const { return use_of(pid_); }
  std::int64_t disk_bytes() const;

 private:
  explicit BenchServer(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
  std::string grpc_;
  client::Connection connection_;
  pid_t pid_ = 0;
};

}  // namespace orchion::bench
