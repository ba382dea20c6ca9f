#pragma once

// For this room's tests: registries on loopback, a way to them that fails, and images as a registry has them.

#include <csignal>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/images/digest.h"
#include "node/images/image_lab.h"

extern char** environ;

namespace orchion::node::images {

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Debian's registry on a loopback port of its own, ended by its pid.
class Registry {
 public:
  enum class Access { kOpen, kPassword };

  explicit Registry(Access access) : port_(free_port()) {
    std::string config =
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
        "{rootdirectory: " +
        (folder_ / "data").string() + "}}\nhttp: {addr: \"127.0.0.1:" + std::to_string(port_) + "\"}\n";
    if (access == Access::kPassword) {
      // alice:wonder, bcrypt
      put("users", "alice:$2b$04$Z.wthmDfj2CuVUuG/YdvOul0A.2IBBWVp1Rn2nYxdr6u4/majXVy2\n");
      config += "auth: {htpasswd: {realm: test, path: " + (folder_ / "users").string() + "}}\n";
    }
    put("config.yml", config);
    std::string program = base::find_program("docker-registry").value();
    std::string verb = "serve";
    std::string file = (folder_ / "config.yml").string();
    char* arguments[] = {program.data(), verb.data(), file.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto log = (folder_ / "log").string();
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int spawned = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (spawned != 0) throw std::runtime_error("cannot start docker-registry");
    wait_until_it_answers();
  }
  ~Registry() { stop(); }

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  // Requests for what `path` is part of, answered so far: "/manifests/", or a blob's digest.
  int requests(const std::string& path) const {
    const auto log = base::read_file(folder_ / "log").value();
    int count = 0;
    for (auto at = log.find("\"GET /v2/"); at != std::string::npos; at = log.find("\"GET /v2/", at + 1))
      count += log.substr(at, log.find('\n', at) - at).find(path) != std::string::npos ? 1 : 0;
    return count;
  }

  // Where it keeps a blob.
  std::filesystem::path blob(const std::string& digest) const {
    const auto hex = digest_hex(digest);
    return folder_ / "data" / "docker/registry/v2/blobs/sha256" / hex.substr(0, 2) / hex / "data";
  }

  int port() const { return port_; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static int free_port() {
    const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, length) != 0 || ::getsockname(fd.get(), generic, &length) != 0)
      throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
  }

  void wait_until_it_answers() const {
    auto address = loopback(port_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      ::usleep(5000);
    }
    throw std::runtime_error("docker-registry does not answer: " + base::read_file(folder_ / "log").value_or(""));
  }

  void put(const std::string& name, const std::string& content) const {
    if (!base::write_file(folder_ / name, content)) throw std::runtime_error(name);
  }

  TestFolder folder_;
  int port_;
  pid_t pid_ = -1;
};

}  // namespace orchion::node::images
