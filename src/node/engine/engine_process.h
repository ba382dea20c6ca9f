#pragma once

// For tests: an engine of their own, started from the distribution's programs in a temporary folder, that touches
// nothing of the machine's network.

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "node/engine/engine_objects.h"

namespace orchion::node::engine {

// Blocks. One thread. Ends its engine, and what that left, when destroyed.
class EngineProcess {
 public:
  explicit EngineProcess(Dialect dialect);
  ~EngineProcess();
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  // Empty where its program is installed. Where it isn't, that is an error for whoever set ORCHION_CI.
  static std::string why_missing(Dialect dialect);

  // Returns when it answers.
  void start();
  void kill();  // SIGKILL, waited for

  // Makes an image of this folder.
  void import(const std::filesystem::path& root, const std::string& name);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path socket() const { return folder_ / "engine.sock"; }
  Dialect dialect() const { return dialect_; }

 private:
  std::vector<std::string> docker_arguments() const;
  std::vector<std::string> podman_arguments() const;
  void end();
  void end_containerd() const;
  void end_monitors() const;

  Dialect dialect_;
  std::string name_;
  std::filesystem::path folder_;
  int pid_ = 0;
};

}  // namespace orchion::node::engine
