#include "node/engine/engine_process.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "base/random.h"

namespace orchion::node::engine {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kStartLimit = 60s;

void check(const base::Result<>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

base::Result<std::string> ask(const fs::path& socket, const std::string& target) {
  return base::run_checked(
      {.arguments = {"curl", "-sS", "--max-time", "2", "--unix-socket", socket.string(), "http://engine" + target}});
}

// False where one is still in use.
bool remove_cgroups(const std::string& name) {
  bool removed = true;
  std::error_code ignored;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", ignored)) {
    if (::rmdir((hierarchy.path() / name).c_str()) != 0 && errno == EBUSY) removed = false;
  }
  if (::rmdir((fs::path("/sys/fs/cgroup") / name).c_str()) != 0 && errno == EBUSY) removed = false;
  return removed;
}

// Podman as root writes more limits than a container on this machine may set, and would use crun where it can't.
constexpr const char* kPodmanSettings = R"([containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
)";

}  // namespace

std::string EngineProcess::why_missing(Dialect dialect) {
  const std::string program = dialect == Dialect::kDocker ? "dockerd" : "podman";
  if (base::find_program(program) || std::getenv("ORCHION_CI") != nullptr) return {};
  return program + " is not installed: ./dev setup installs it";
}

EngineProcess::EngineProcess(Dialect dialect) : dialect_(dialect), name_("oe" + base::Random::from_system().text(8)) {
  folder_ = fs::temp_directory_path() / name_;
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms::owner_all);
  check(base::write_file(folder_ / "containers.conf", kPodmanSettings));
  start();
}

EngineProcess::~EngineProcess() {
  end();
  for (const char* name : {"podman-data/overlay", "docker-run/netns/default", "docker-data"})
    ::umount2((folder_ / name).c_str(), MNT_DETACH);
  (void)base::remove_tree(folder_);
  // The kernel takes a moment to let go of the containers' own.
  for (int i = 0; i < 100 && !remove_cgroups(name_); ++i) std::this_thread::sleep_for(20ms);
}

std::vector<std::string> EngineProcess::docker_arguments() const {
  return {"dockerd",
          "--data-root=" + (folder_ / "docker-data").string(),
          "--exec-root=" + (folder_ / "docker-run").string(),
          "--pidfile=" + (folder_ / "docker.pid").string(),
          "--host=unix://" + socket().string(),
          "--storage-driver=overlay2",
          "--cgroup-parent=/" + name_,
          "--bridge=none",
          "--iptables=false",
          "--ip6tables=false"};
}

std::vector<std::string> EngineProcess::podman_arguments() const {
  return {"podman",
          "--root=" + (folder_ / "podman-data").string(),
          "--runroot=" + (folder_ / "podman-run").string(),
          "--tmpdir=" + (folder_ / "podman-tmp").string(),
          "--storage-driver=overlay",
          "system",
          "service",
          "--time=0",
          "unix://" + socket().string()};
}

void EngineProcess::start() {
  const auto words = dialect_ == Dialect::kDocker ? docker_arguments() : podman_arguments();
  const auto program = base::find_program(words[0]);
  if (!program) throw std::runtime_error(program.error().message);
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const auto settings = (folder_ / "containers.conf").string(), log = (folder_ / "log").string();
  std::error_code ignored;
  fs::remove(socket(), ignored);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::setenv("CONTAINERS_CONF", settings.c_str(), 1);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::close_range(3, ~0u, 0);
    ::execv(program->c_str(), arguments.data());
    ::_exit(127);
  }
  for (const auto deadline = std::chrono::steady_clock::now() + kStartLimit;;) {
    const auto answer = ask(socket(), "/_ping");
    if (answer && *answer == "OK") return;
    if (std::chrono::steady_clock::now() > deadline || ::waitpid(pid_, nullptr, WNOHANG) != 0)
      throw std::runtime_error("the engine did not start: " + base::read_file(log).value_or(""));
    std::this_thread::sleep_for(20ms);
  }
}

void EngineProcess::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
  if (dialect_ != Dialect::kDocker) return;
  // It goes with dockerd, but not at once; the next would take it for its own while anything of it is left.
  end_containerd();
  std::error_code ignored;
  fs::remove(folder_ / "docker-run/containerd/containerd.pid", ignored);
}

void EngineProcess::end() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  if (dialect_ == Dialect::kDocker) end_containerd();
  end_monitors();
}

// Each of Podman's execs leaves one for five minutes; a test that failed leaves those of its containers.
void EngineProcess::end_monitors() const {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    const auto command = base::read_file(entry.path() / "cmdline");
    const bool monitors =
        command && (command->starts_with("/usr/bin/conmon") || command->starts_with("/usr/bin/containerd-shim"));
    if (monitors && command->find(folder_.string()) != std::string::npos) ::kill(pid, SIGKILL);
  }
}

// dockerd ends its own with itself, unless it was killed.
void EngineProcess::end_containerd() const {
  const auto text = base::read_file(folder_ / "docker-run/containerd/containerd.pid");
  const int pid = text ? std::atoi(text->c_str()) : 0;
  const auto command = pid > 0 ? base::read_file(fmt::format("/proc/{}/cmdline", pid)) : base::Result<std::string>();
  if (!command || command->find(folder_.string()) == std::string::npos) return;
  ::kill(pid, SIGTERM);
  while (::kill(pid, 0) == 0 && base::read_file(fmt::format("/proc/{}/cmdline", pid)).value_or("").size() > 0)
    std::this_thread::sleep_for(10ms);
}

void EngineProcess::import(const fs::path& root, const std::string& name) {
  const auto archive = (folder_ / "import.tar").string();
  const auto packed = base::run_checked({.arguments = {"tar", "-C", root.string(), "-cf", archive, "."}});
  if (!packed) throw std::runtime_error(packed.error().message);
  const auto answer =
      base::run_checked({.arguments = {"curl", "-sS", "--fail-with-body", "--unix-socket", socket().string(), "-X",
                                       "POST", "-H", "Content-Type: application/x-tar", "--data-binary", "@" + archive,
                                       "http://engine/v1.41/images/create?fromSrc=-&repo=" + name + "&tag=latest"}});
  if (!answer) throw std::runtime_error(answer.error().message);
}

}  // namespace orchion::node::engine
