#pragma once

// The program HAProxy on this machine.

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.h"
#include "mesh/ingress/haproxy_config.h"

namespace orchion::mesh::ingress {

// A master and its worker, which go on without this process and are found again through the master's socket in
// `settings.folder`. All calls block, for milliseconds; a start or a reload for up to ten seconds. Thread-safe.
class Haproxy {
 public:
  Haproxy(HaproxySettings settings, std::string program)
      : settings_(std::move(settings)), program_(std::move(program)) {}

  // Makes a running HAProxy as the configuration says: starts it, reloads it or tells it the difference; the files say
  // the same afterwards. False where servers still have connections and go later. kFailedPrecondition: an address can't
  // be listened on; what ran before runs on.
  base::Result<bool> apply(const Config& config);

  // Ends it with all its connections and removes its folder; nothing there is fine.
  base::Result<> end();

  // The master's process, where one answers.
  std::optional<int> master_pid() const;

 private:
  base::Result<> write_files(const Config& config) const;
  base::Result<> check(const Config& config) const;
  base::Result<> start(const Config& config);
  base::Result<> reload(const Config& config);
  base::Result<> await_structure(const std::string& structure, bool is_reload) const;
  base::Result<> change_certificates(const Config& config) const;
  base::Result<bool> change_servers(const Config& config) const;
  void remove_old_files(const Config& config) const;
  base::Result<std::string> ask_master(const std::string& command) const;
  base::Result<std::string> ask_worker(const std::string& commands) const;
  std::string running_structure() const;
  std::filesystem::path path(const std::string& name) const { return std::filesystem::path(settings_.folder) / name; }

  HaproxySettings settings_;
  std::string program_;
  std::mutex turn_;  // of apply() and end(): a caller that was cancelled leaves its work running
};

// "HAProxy 2.6.12"; kFailedPrecondition where the program can't be started or is older than 2.6.
base::Result<std::string> haproxy_version(const std::string& program);

// Whether "ADDRESS:PORT" can be listened on now. kFailedPrecondition says what is in the way.
base::Result<> check_address(const std::string& address, const std::string& option);

// Sends commands over HAProxy's unix socket and returns all it answers.
base::Result<std::string> ask_haproxy(const std::filesystem::path& socket, const std::string& commands,
                                      std::chrono::milliseconds limit);

}  // namespace orchion::mesh::ingress
