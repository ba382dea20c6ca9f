// The conformance tests with containers of a private containerd.

#include <csignal>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "node/runtimes/containerd/containerd_test_factory.h"

namespace orchion::node::runtimes {
namespace containerd {

PrivateContainerd& PrivateContainerd::get() {
  static PrivateContainerd instance;
  return instance;
}

bool PrivateContainerd::installed() {
  return std::getenv("ORCHION_CI") != nullptr || base::find_program("containerd").has_value();
}

PrivateContainerd::PrivateContainerd() {
  const auto config = fmt::format(
      "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\n"
      "disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n"
      "[grpc]\naddress = \"{0}/s\"\n",
      folder_.path().string());
  EXPECT_TRUE(base::write_file(folder_.path() / "config.toml", config));
  start();
}

PrivateContainerd::~PrivateContainerd() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

void PrivateContainerd::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void PrivateContainerd::start() {
  const auto program = base::find_program("containerd").value_or("containerd");
  const auto config = (folder_.path() / "config.toml").string();
  const auto log = (folder_.path() / "log").string();
  const char* arguments[] = {"containerd", "--config", config.c_str(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  ASSERT_EQ(::posix_spawn(&pid_, program.c_str(), &files, nullptr, const_cast<char**>(arguments), environ), 0);
  posix_spawn_file_actions_destroy(&files);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket().string().copy(address.sun_path, sizeof address.sun_path - 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ADD_FAILURE() << "containerd did not start: " << base::read_file(log).value_or("");
}

ContainerdFactory::ContainerdFactory() {
  auto random = base::Random::from_system();
  options_.socket = PrivateContainerd::get().socket();
  options_.state_folder = folder_.path() / "state";
  options_.data_folder = folder_.path() / "data";
  options_.cluster_short_id = "t" + random.text(7);
  make_busybox_root(folder_.path() / "layer");
}

std::unique_ptr<Runtime> ContainerdFactory::open(base::Executor executor, base::WorkerPool& pool) {
  auto runtime = ContainerdRuntime::open(executor, pool, options_);
  EXPECT_TRUE(runtime.has_value()) << runtime.error().message;
  return runtime ? *std::move(runtime) : nullptr;
}

}  // namespace containerd

namespace {

// Where a developer has no containerd the tests say so; in CI it has to be there.
std::unique_ptr<RuntimeFactory> make_containerd() {
  if (!containerd::PrivateContainerd::installed()) return nullptr;
  return std::make_unique<containerd::ContainerdFactory>();
}

INSTANTIATE_TEST_SUITE_P(Containerd, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_containerd)));

}  // namespace
}  // namespace orchion::node::runtimes
