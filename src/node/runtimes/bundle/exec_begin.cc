// The beginning of an exec: its folder, its descriptors, its shim.

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/random.h"
#include "node/runtimes/bundle/exec_session.h"
#include "node/runtimes/bundle/shim_process.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;
using base::UniqueFd;

struct PipeEnds {
  UniqueFd read;
  UniqueFd write;
};

Result<PipeEnds> make_pipe_ends() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return base::fail_errno(errno, "cannot make a pipe");
  return PipeEnds{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void set_nonblocking(const UniqueFd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// A path of any length fits by way of its folder's descriptor.
Result<UniqueFd> listen_for_terminal(const std::filesystem::path& folder) {
  const UniqueFd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}/{}", directory.get(), shim::kConsoleSocket);
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size() + 1, sizeof address.sun_path));
  if (!directory || !listener ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 1) != 0)
    return base::fail_errno(errno, "cannot make a socket for the terminal");
  return listener;
}

struct ChildEnds {
  UniqueFd in;
  UniqueFd out;
  UniqueFd error;
};

Result<ChildEnds> make_pipes(const ExecConfig& config, ExecDescriptors& exec) {
  ChildEnds child;
  ASSIGN_OR_RETURN(auto out, make_pipe_ends());
  ASSIGN_OR_RETURN(auto error, make_pipe_ends());
  exec.out = std::move(out.read);
  exec.error = std::move(error.read);
  child.out = std::move(out.write);
  child.error = std::move(error.write);
  if (config.stdin) {
    ASSIGN_OR_RETURN(auto in, make_pipe_ends());
    exec.in = std::move(in.write);
    child.in = std::move(in.read);
  }
  for (const auto* fd : {&exec.in, &exec.out, &exec.error}) set_nonblocking(*fd);
  return child;
}

Result<> fill(const BundleStore& store, const std::filesystem::path& shim, const std::string& id,
              const BundleState& state, const ExecConfig& config, ExecDescriptors& exec) {
  RETURN_IF_ERROR(store.maker().fill_exec(store.place(id), state.started->process.pid, config, exec.folder));
  ChildEnds child;
  if (config.tty) {
    ASSIGN_OR_RETURN(exec.listener, listen_for_terminal(exec.folder));
  } else {
    ASSIGN_OR_RETURN(child, make_pipes(config, exec));
  }
  ASSIGN_OR_RETURN(exec.report, spawn_shim(shim,
                                           {"exec", store.bundle(id).string(), config.tty ? "1" : "0",
                                            store.options().cluster_short_id + "/" + id},
                                           exec.folder,
                                           {.in = child.in.get(),
                                            .out = child.out.get(),
                                            .error = child.error.get(),
                                            .program = store.maker().program_image(store.place(id))}));
  return {};
}

}  // namespace

Result<ExecDescriptors> begin_exec(const BundleStore& store, const std::filesystem::path& shim, std::string id,
                                   ExecConfig config) {
  ASSIGN_OR_RETURN(const auto state, store.read(id));
  if (!state) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
  if (!state->started || state->ended() || !state->shim_alive)
    return base::fail(Code::kFailedPrecondition, fmt::format("container {} does not run: start it first", id));
  if (config.arguments.empty())
    return base::fail(Code::kInvalidArgument, "there is no command to run: name one after --");
  ExecDescriptors exec;
  auto random = base::Random::from_system();
  exec.folder = store.exec_folder(id) / random.text(16);
  exec.tty = config.tty;
  RETURN_IF_ERROR(base::make_folders(exec.folder));
  if (auto filled = fill(store, shim, id, *state, config, exec); !filled) {
    RETURN_IF_ERROR(base::remove_tree(exec.folder));
    return std::unexpected(filled.error());
  }
  return exec;
}

Result<> take_terminal(ExecDescriptors& exec) {
  if (!exec.tty) return {};
  const UniqueFd connection(::accept4(exec.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  char data[256];
  iovec part{data, sizeof data};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (!connection || ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC) < 0)
    return base::fail_errno(errno, "the runtime binary sent no terminal");
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
    return base::fail(Code::kInternal, "the runtime binary sent no terminal");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  exec.out.reset(fd);
  exec.in.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  exec.listener.reset();
  set_nonblocking(exec.out);
  return {};
}

}  // namespace orchion::node::runtimes::bundle
