#pragma once

#include <chrono>
#include <functional>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/bundle/cgroups.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/oci/oci_test_factory.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::oci {

// A runtime of crun, and ways to look behind it.
class OciRuntimeTest : public RuntimeTest {
 protected:
  OciRuntimeTest() : OciRuntimeTest(std::make_unique<OciFactory>("crun")) {}

  // Runs the script to its end and returns its output.
  std::string run_script(ContainerConfig config) {
    start(config);
    wait(config.id);
    return output(config.id);
  }

  std::filesystem::path bundle(const std::string& id) const { return oci_.options().data_folder / "containers" / id; }

  // A value of the newest start's record.
  std::int64_t started(const std::string& id, const char* name) const {
    return shim::find_number(base::read_file(bundle(id) / shim::kStatusFile).value_or(""), name, 0);
  }
  std::int64_t shim_pid(const std::string& id) const { return started(id, shim::status::kShimPid); }

  void kill_shim(const std::string& id) const {
    const auto shim = bundle::open_process({shim_pid(id), started(id, shim::status::kShimPidStart)});
    ASSERT_TRUE(bundle::signal_process(shim, SIGKILL).has_value());
    ASSERT_TRUE(bundle::wait_for_end(shim, std::chrono::seconds(20)));
  }

  // For what comes soon after a start, and nobody tells when.
  static bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  static std::string read_proc(std::int64_t pid, const char* name) {
    return base::read_file("/proc/" + std::to_string(pid) + "/" + name).value_or("");
  }

  // Everything on the machine that bears this test's short id or lies in its folder, but for what the runtime keeps.
  std::vector<std::string> traces() const {
    std::vector<std::string> found;
    const auto& id = oci_.options().cluster_short_id;
    std::istringstream mounts(base::read_file("/proc/self/mountinfo").value_or(""));
    for (std::string line; std::getline(mounts, line);) {
      if (line.find(oci_.folder().string()) != line.npos) found.push_back("mount " + line);
    }
    const auto layout = bundle::detect_cgroup_layout();
    for (const auto& hierarchy : layout->hierarchies) {
      if (std::filesystem::exists(hierarchy + "/orchion-" + id)) found.push_back("cgroup " + hierarchy);
    }
    // What was made while a hierarchy was hidden lies below its mount, where nobody would ever look.
    const auto below = base::run_process(
        {.arguments = {"unshare", "-m", "sh", "-c",
                       "umount -l /sys/fs/cgroup/unified 2>/dev/null; ls -d /sys/fs/cgroup/*/orchion-" + id}});
    if (below && below->exit_code == 0 && layout->mode == bundle::CgroupLayout::Mode::kHybrid)
      found.push_back("hidden " + below->standard_output);
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto command = base::read_file(entry.path() / "cmdline").value_or("");
      if (command.find(id + "/") != command.npos) found.push_back("process " + entry.path().string());
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(oci_.options().data_folder)) {
      const auto path = entry.path().lexically_relative(oci_.options().data_folder).string();
      if (!path.starts_with("shim") && !path.starts_with("seccomp") && path != "logs") found.push_back("file " + path);
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(oci_.options().state_folder)) {
      found.push_back("state " + entry.path().lexically_relative(oci_.options().state_folder).string());
    }
    return found;
  }

  explicit OciRuntimeTest(std::unique_ptr<OciFactory> factory) : RuntimeTest(nullptr), oci_(*factory) {
    factory_ = std::move(factory);
    reopen();
  }

  OciFactory& oci_;
};

}  // namespace orchion::node::runtimes::oci
