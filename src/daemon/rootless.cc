#include "daemon/rootless.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/subordinate_ids.h"
#include "daemon/delegated_group.h"
#include "daemon/folders.h"
#include "node/networks/uplink.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::daemon {

namespace {

namespace fs = std::filesystem;
namespace shim = node::shim;
using base::Code;

constexpr const char* kPrograms[] = {"newuidmap", "newgidmap", "slirp4netns"};
bool entered = false;
std::string own_group;

// The holder's identity, a record.
constexpr char kPid[] = "pid";
constexpr char kPidStart[] = "pid_start";
constexpr char kBootId[] = "boot_id";

fs::path record_path(const fs::path& data) {
  return data / "rootless";
}

// A pipe whose ends close on exec.
struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};

base::Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot create a pipe");
  return Pipe{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

std::string read_all(int fd) {
  std::string text;
  char buffer[512];
  while (true) {
    const auto got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

// --- the holder, until it becomes another program ---

// Its end of the talk with who starts it: it says its pid, hears that its users are there, and says what went wrong,
// or nothing.
struct HolderPipes {
  Pipe up;
  Pipe down;
};

[[noreturn]] void give_up(int up, const char* what) {
  const auto text = fmt::format("{}: {}", what, std::generic_category().message(errno));
  [[maybe_unused]] const auto written = ::write(up, text.data(), text.size());
  ::_exit(1);
}

[[noreturn]] void hold(HolderPipes& pipes, const fs::path& run, const fs::path& program) {
  const int up = pipes.up.write.get();
  ::setsid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    give_up(up, "this kernel makes no user namespace for you (see kernel.unprivileged_userns_clone)");
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::write(up, pid.data(), pid.size()) < 0) ::_exit(1);
  char go = 0;
  if (::read(pipes.down.read.get(), &go, 1) != 1) ::_exit(1);
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) give_up(up, "cannot become root of a user namespace");
  // What is mounted on the machine later is seen here too, and nothing of here there.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) give_up(up, "cannot separate the mounts");
  if (::mount("tmpfs", run.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0)
    give_up(up, "cannot mount a folder in memory");
  if (::chdir("/") != 0) give_up(up, "cannot enter /");
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up(up, "cannot let files go");
  ::execl(program.c_str(), "orchion-shim", "stay", nullptr);
  give_up(up, "cannot start the holder of the namespaces (the data folder must allow execution)");
}

// --- who starts it ---

base::Result<> map_ids(pid_t holder) {
  ASSIGN_OR_RETURN(const auto ids, base::find_subordinate_ids());
  const auto run = [&](const char* program, std::uint32_t own,
                       const std::vector<base::IdRange>& ranges) -> base::Result<> {
    base::Command command{.arguments = {program, std::to_string(holder)}};
    for (auto& argument : base::map_arguments(own, ranges)) command.arguments.push_back(std::move(argument));
    RETURN_IF_ERROR(base::run_checked(command));
    return {};
  };
  RETURN_IF_ERROR(run("newuidmap", ::getuid(), ids.users));
  return run("newgidmap", ::getgid(), ids.groups);
}

base::Result<pid_t> read_pid(int fd) {
  std::string text;
  char byte = 0;
  while (::read(fd, &byte, 1) == 1 && byte != '\n') text += byte;
  const pid_t pid = std::atoi(text.c_str());
  // Something else than a number is what went wrong.
  if (pid <= 1) return base::fail(Code::kFailedPrecondition, text);
  return pid;
}

base::Result<pid_t> start_holder(const fs::path& data) {
  RETURN_IF_ERROR(check_rootless());
  const Folders folders{data};
  RETURN_IF_ERROR(base::make_folders(folders.rootless_run()));
  ASSIGN_OR_RETURN(const auto program, node::runtimes::bundle::install_shim(folders.containers() / "shim"));
  HolderPipes pipes;
  ASSIGN_OR_RETURN(pipes.up, make_pipe());
  ASSIGN_OR_RETURN(pipes.down, make_pipe());
  const pid_t child = ::fork();
  if (child < 0) return base::fail_errno(errno, "cannot start a process");
  if (child == 0) {
    // Nobody's child, so that its end is seen at once.
    const pid_t grandchild = ::fork();
    if (grandchild == 0) hold(pipes, folders.rootless_run(), program);
    ::_exit(grandchild < 0 ? 1 : 0);
  }
  ::waitpid(child, nullptr, 0);
  pipes.up.write.reset();
  ASSIGN_OR_RETURN(const pid_t holder, read_pid(pipes.up.read.get()));
  auto mapped = map_ids(holder);
  if (!mapped) {
    ::kill(holder, SIGKILL);
    return std::unexpected(mapped.error());
  }
  if (::write(pipes.down.write.get(), "1", 1) != 1) return base::fail_errno(errno, "cannot tell the holder to go on");
  if (const auto failure = read_all(pipes.up.read.get()); !failure.empty())
    return base::fail(Code::kFailedPrecondition, failure);
  return holder;
}

// Empty where there is none any more.
base::UniqueFd find_holder(const fs::path& data, pid_t& pid) {
  const auto record = base::read_file(record_path(data));
  if (!record) return {};
  pid = static_cast<pid_t>(shim::find_number(*record, kPid, 0));
  char boot[shim::kBootIdBytes];
  if (shim::find_text(*record, kBootId) != shim::boot_id(boot)) return {};
  return node::runtimes::bundle::open_process({pid, shim::find_number(*record, kPidStart, 0)});
}

base::Result<> join(pid_t holder) {
  const auto open = [&](const char* name) {
    return base::UniqueFd(::open(fmt::format("/proc/{}/ns/{}", holder, name).c_str(), O_RDONLY | O_CLOEXEC));
  };
  const auto users = open("user");
  const auto mounts = open("mnt");
  if (!users || !mounts) return base::fail_errno(errno, "cannot open the namespaces of the containers");
  if (::setns(users.get(), CLONE_NEWUSER) != 0) return base::fail_errno(errno, "cannot enter the user namespace");
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return base::fail_errno(errno, "cannot become root of the user namespace");
  // It also leads to the root folder of that namespace.
  if (::setns(mounts.get(), CLONE_NEWNS) != 0) return base::fail_errno(errno, "cannot enter the mount namespace");
  return {};
}

}  // namespace

base::Result<> check_rootless() {
  for (const char* program : kPrograms) {
    if (!base::find_program(program))
      return base::fail(Code::kNotFound,
                        fmt::format("there is no {}: containers without root need it (sudo apt install uidmap "
                                    "slirp4netns), or start this with sudo",
                                    program));
  }
  RETURN_IF_ERROR(base::find_subordinate_ids());
  return {};
}

base::Result<> enter_user_namespace(const fs::path& data) {
  RETURN_IF_ERROR(prepare_data_folder(data));
  const auto lock_path = data / "rootless.lock";
  const base::UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return base::fail_errno(errno, "cannot lock " + lock_path.string());
  pid_t holder = 0;
  if (!find_holder(data, holder)) {
    ASSIGN_OR_RETURN(holder, start_holder(data));
    char boot[shim::kBootIdBytes];
    shim::RecordWriter record;
    record.add(kPid, holder);
    record.add(kPidStart, shim::process_start(holder));
    record.add(kBootId, shim::boot_id(boot));
    RETURN_IF_ERROR(base::write_file(record_path(data), record.text()));
  }
  if (auto group = find_delegated_group(holder)) {
    own_group = *std::move(group);
  } else {
    base::log::warn("containers can't be limited: {}", group.error().message);
  }
  RETURN_IF_ERROR(join(holder));
  entered = true;
  return {};
}

bool is_rootless() {
  return entered;
}

const std::string& rootless_group() {
  return own_group;
}

void keep_apart(pid_t program) {
  if (own_group.empty()) return;
  if (auto put = join_holder(own_group, program); !put) base::log::warn("{}", put.error().message);
}

base::Result<> release_if_unused(const fs::path& data) {
  const Folders folders{data};
  std::error_code ignored;
  if (fs::exists(folders.containers() / "containers", ignored) &&
      !fs::is_empty(folders.containers() / "containers", ignored))
    return {};
  RETURN_IF_ERROR(node::networks::Uplink::end(folders.rootless_run()));
  pid_t pid = 0;
  const auto holder = find_holder(data, pid);
  if (!holder) return {};
  return node::runtimes::bundle::signal_process(holder, SIGKILL);
}

}  // namespace orchion::daemon
