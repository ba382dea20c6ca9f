#pragma once

// Containers as they are on disk and in the kernel: one folder each, which outlives the agent.

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "node/runtimes/bundle/bundle_maker.h"
#include "node/runtimes/bundle/bundle_records.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::bundle {

struct BundleState {
  bool whole = false;  // prepare came to its end
  std::optional<StartRecord> started;
  std::optional<ExitRecord> exited;  // may be of an earlier attempt than `started`
  bool shim_alive = false;

  bool ended() const { return started && exited && exited->attempt == started->attempt; }
  // The shim is gone and left no record.
  bool orphaned() const { return started && !ended() && !shim_alive; }
};

// In the state folder; see BundleStore::exec_folder().
constexpr const char* kExecFolder = "exec";

ContainerInfo to_info(const std::string& id, const BundleState& state);

// All calls block. One caller per container at a time, except read() and settle(); different containers at once.
class BundleStore {
 public:
  BundleStore(BundleOptions options, CgroupLayout cgroups, std::unique_ptr<BundleMaker> maker);

  base::Result<> prepare(const ContainerConfig& config);

  // nullopt: there is no such container.
  base::Result<std::optional<BundleState>> read(const std::string& id) const;
  base::Result<std::vector<std::string>> ids() const;

  // Waits until no start of it is under way and keeps others out while the descriptor lives.
  base::Result<base::UniqueFd> lock(const std::string& id) const;

  // Ends and records what an orphaned container left: its output has nowhere to go, so it is killed. Not orphaned:
  // nothing to do. The caller holds its lock.
  base::Result<BundleState> settle(const std::string& id) const;

  // Ends and removes what a start left that came to no record. The caller holds its lock, and no attempt runs.
  void forget_unrecorded(const std::string& id) const;

  // Kills what runs of it and removes everything.
  base::Result<> remove(const std::string& id, bool keep_logs);

  std::filesystem::path bundle(const std::string& id) const { return options_.data_folder / "containers" / id; }
  std::filesystem::path log_folder(const std::string& id) const { return options_.data_folder / "logs" / id; }
  // Each command that begins in it has a folder of its own in here, until it runs.
  std::filesystem::path exec_folder(const std::string& id) const { return options_.state_folder / kExecFolder / id; }
  const std::filesystem::path& runtime_root() const { return runtime_root_; }
  const BundleOptions& options() const { return options_; }
  const BundleMaker& maker() const { return *maker_; }
  const CgroupLayout& cgroups() const { return cgroups_; }
  BundlePlace place(const std::string& id) const;

 private:
  base::Result<> fill_bundle(const ContainerConfig& config);
  base::Result<> write_settings(const ContainerConfig& config) const;
  // Returns when the container's first process, and so every other of it, is dead.
  base::Result<> kill_process(const std::string& id, const BundleState& state) const;
  base::Result<> remove_bundle(const std::string& id) const;
  void forget_in_kernel(const std::string& id) const;
  void remove_empty_parents();
  std::string cgroup(const std::string& id) const { return options_.cgroup_parent + "/" + id; }

  const BundleOptions options_;
  const CgroupLayout cgroups_;
  const std::unique_ptr<BundleMaker> maker_;
  const std::filesystem::path runtime_root_;
  std::mutex parents_mutex_;  // making bundles against removing the parents of the last one
};

}  // namespace orchion::node::runtimes::bundle
