#include "daemon/server_daemon.h"

#include <atomic>
#include <csignal>

#include <fmt/core.h>
#include <unistd.h>

#include "base/code_pages.h"
#include "base/log.h"
#include "control/auth/shared_identity.h"
#include "control/serving/http_guard.h"
#include "control/serving/serving.h"
#include "daemon/background.h"
#include "daemon/control_plane.h"
#include "daemon/folders.h"
#include "daemon/loop_thread.h"
#include "daemon/node_door.h"
#include "daemon/rootless.h"
#include "daemon/shared_store.h"
#include "daemon/underlay.h"
#include "daemon/version.h"

namespace orchion::daemon {

namespace {

constexpr auto kShutdownGrace = std::chrono::seconds(2);

// The data folder of one of several servers gets what they have alike.
base::Co<> share(base::Executor executor, std::filesystem::path data, SharedStore shared) {
  CO_ASSIGN_OR_RETURN(const auto id, server_id(data));
  CO_ASSIGN_OR_RETURN(const auto store, co_await open_shared_store(executor, std::move(shared), id));
  co_return co_await control::auth::share_identity(*store, data, base::SystemClock().wall());
}

// Serves until a signal comes.
base::Result<> serve(ControlPlane& plane, LoopThread& control, const ServerOptions& options, const NodeDoor& door,
                     EndSignals& signals, const std::function<void()>& ready) {
  LoopThread http;
  std::atomic<bool> is_ready = false;
  control::serving::ServingOptions serving_options;
  serving_options.rest.version = kVersion;
  serving_options.rest.ready = [&is_ready]() -> base::Result<> {
    if (is_ready) return {};
    return base::fail(base::Code::kUnavailable, "the server is starting");
  };
  serving_options.bookmark = [&plane] { return plane.bookmark(); };
  control::serving::Serving serving(control.executor(), http.executor(), plane.methods(), plane.check(),
                                    serving_options);
  auto listen = [](control::serving::Serving* doors, std::string http_address, std::string socket) -> base::Co<> {
    CO_RETURN_IF_ERROR(doors->listen_http(http_address));
    co_return doors->listen_unix(socket);
  };
  auto begin = [&]() -> base::Result<> {
    RETURN_IF_ERROR(http.run(listen(&serving, options.http, Folders{options.data}.socket().string())));
    RETURN_IF_ERROR(serving.listen_grpc(options.grpc));
    if (!door.listen.empty()) {
      ASSIGN_OR_RETURN(auto tls, plane.node_tls());
      RETURN_IF_ERROR(serving.listen_nodes(door.listen, plane.node_methods(), std::move(tls)));
      base::log::info("other machines join and connect at {}", door.address.empty() ? door.listen : door.address);
    }
    if (options.agent) RETURN_IF_ERROR(control.run(plane.start_agent()));
    return {};
  };
  auto begun = begin();
  if (begun) {
    is_ready = true;
    base::log::info("serving on http://{} and grpc://{}, data in {}", options.http, options.grpc,
                    options.data.string());
    ready();
    base::release_code_pages();
    signals.wait();
    base::log::info("ending; what runs in containers runs on");
  }
  serving.shutdown(std::chrono::duration_cast<std::chrono::milliseconds>(kShutdownGrace));
  return begun;
}

}  // namespace

base::Result<> run_server(const ServerOptions& options, const std::function<void()>& ready) {
  EndSignals signals;
  // Before anything is made: what can't work here shall leave nothing behind.
  if (options.agent) RETURN_IF_ERROR(check_machine());
  for (const auto& address : {options.http, options.grpc})
    RETURN_IF_ERROR(control::serving::check_listen_address(address, false));
  if (options.agent && ::geteuid() != 0) RETURN_IF_ERROR(enter_user_namespace(options.data));
  ASSIGN_OR_RETURN(const auto door, plan_node_door(options.advertise, options.nodes, default_address()));
  if (options.mesh_port != 0 && door.underlay.empty())
    return base::fail(
        base::Code::kInvalidArgument,
        "--mesh is for what goes to other machines: say with --advertise at which IPv4 address they reach "
        "this one");
  RETURN_IF_ERROR(prepare_data_folder(options.data));
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(Folders{options.data}, "a server"));
  LoopThread control;
  std::optional<SharedStore> shared;
  if (options.store.is_shared()) {
    ASSIGN_OR_RETURN(shared, read_shared_store(options.store));
    RETURN_IF_ERROR(control.run(share(control.executor(), options.data, *shared)));
  }
  ASSIGN_OR_RETURN(const auto cluster, cluster_id(options.data));

  std::atomic<bool> broke = false;
  ControlPlane plane(control.executor(), options, cluster, door, std::move(shared), [&] {
    // Once: a signal that nobody waits for any more would be there for the process that begins anew.
    if (!broke.exchange(true)) ::kill(::getpid(), SIGTERM);
  });
  auto result = control.run(plane.start());
  if (result) result = serve(plane, control, options, door, signals, ready);
  auto down = control.run(plane.shut_down());
  if (down && is_rootless()) down = release_if_unused(options.data);
  // A start that failed isn't tried again: the disk is gone for good, or full of faults.
  if (!result || !broke) return result ? down : result;
  if (is_rootless())  // a second start wouldn't find the way out of the namespace that this one entered
    return base::fail(base::Code::kUnavailable, "the store can't be written any more: start the server again");
  base::log::info("beginning anew");
  return std::unexpected(begin_anew());
}

}  // namespace orchion::daemon
