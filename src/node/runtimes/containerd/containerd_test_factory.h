#pragma once

#include <memory>
#include <string>

#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"
#include "node/runtimes/containerd/containerd_runtime.h"

namespace orchion::node::runtimes::containerd {

// A containerd of this test program's own, in a temporary folder; ended with the program.
class PrivateContainerd {
 public:
  // The one of this program; started on first use.
  static PrivateContainerd& get();

  // On this machine; it must be where ORCHION_CI is set.
  static bool installed();

  ~PrivateContainerd();
  PrivateContainerd(const PrivateContainerd&) = delete;
  PrivateContainerd& operator=(const PrivateContainerd&) = delete;

  std::filesystem::path socket() const { return folder_.path() / "s"; }

  // As a crash does, containers excepted; and again until it answers.
  void kill();
  void start();

 private:
  PrivateContainerd();

  TestFolder folder_;
  pid_t pid_ = -1;
};

// Real containers of a busybox, in temporary folders and under a random short id.
class ContainerdFactory final : public RuntimeFactory {
 public:
  ContainerdFactory();

  std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool& pool) override;
  std::vector<std::filesystem::path> layers() override { return {folder_.path() / "layer"}; }
  bool real() const override { return true; }

  const ContainerdOptions& options() const { return options_; }

 private:
  TestFolder folder_;
  ContainerdOptions options_;
};

}  // namespace orchion::node::runtimes::containerd
