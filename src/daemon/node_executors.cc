#include "daemon/node_executors.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "node/images/engine/engine_images.h"
#include "node/runtimes/containerd/containerd_runtime.h"
#include "node/runtimes/engine/engine_runtime.h"
#include "node/runtimes/oci/oci_runtime.h"
#include "node/runtimes/process/process_runtime.h"

namespace orchion::daemon {

namespace {

namespace fs = std::filesystem;
namespace runtimes = node::runtimes;

constexpr char kNothingRunsContainers[] =
    "nothing on this machine runs containers: install crun (apt install crun), or start Docker, Podman or containerd";

// "unix:///run/x.sock" or a path, out of a variable that the engine's own tools know.
fs::path socket_of(const char* variable, const char* usual) {
  const char* value = std::getenv(variable);
  std::string_view text = value == nullptr ? "" : value;
  if (text.starts_with("unix://")) text.remove_prefix(7);
  return text.starts_with('/') ? fs::path(text) : fs::path(usual);
}

struct Sockets {
  fs::path docker = socket_of("DOCKER_HOST", "/var/run/docker.sock");
  fs::path podman = socket_of("CONTAINER_HOST", "/run/podman/podman.sock");
  fs::path containerd = socket_of("CONTAINERD_ADDRESS", "/run/containerd/containerd.sock");
};

bool is_there(const fs::path& socket) {
  std::error_code ignored;
  return fs::is_socket(socket, ignored);
}

v1::RuntimeInfo describe(const std::string& name, const runtimes::Capabilities& can) {
  v1::RuntimeInfo info;
  info.set_executor(name);
  info.set_name(can.name);
  info.set_version(can.version);
  for (const auto& runtime : can.oci_runtimes) info.add_oci_runtimes(runtime);
  if (!can.limits) info.add_lacks("limits");
  if (!can.exec) info.add_lacks("exec");
  if (!can.tty) info.add_lacks("tty");
  if (!can.networks) info.add_lacks("networks");
  return info;
}

base::Co<> wire_when_known(std::shared_ptr<runtimes::WireNamespace> wire, std::string id, fs::path path) {
  if (!*wire) co_return base::fail(base::Code::kUnavailable, "the agent has not started yet");
  co_return co_await (*wire)(std::move(id), std::move(path));
}

}  // namespace

base::Result<> check_machine() {
  if (::geteuid() != 0)
    return base::fail(base::Code::kPermissionDenied,
                      "running containers needs root: start this with sudo, or run only the control plane with "
                      "`orchion server --no-agent`");
  const Sockets sockets;
  if (is_there(sockets.docker) || is_there(sockets.podman) || is_there(sockets.containerd)) return {};
  if (!runtimes::oci::has_oci_runtime()) return base::fail(base::Code::kNotFound, kNothingRunsContainers);
  return {};
}

struct NodeExecutors::Entry {
  std::string name;
  std::unique_ptr<runtimes::Runtime> runtime;
  std::unique_ptr<node::images::ImageSource> own_images;  // an engine's
  node::images::ImageSource* images = nullptr;
};

NodeExecutors::NodeExecutors() : wire_(std::make_shared<runtimes::WireNamespace>()) {}

NodeExecutors::~NodeExecutors() = default;

void NodeExecutors::add(std::string name, std::unique_ptr<runtimes::Runtime> runtime,
                        node::images::ImageSource* images) {
  auto entry = std::make_unique<Entry>();
  entry->name = std::move(name);
  entry->runtime = std::move(runtime);
  entry->images = images;
  entries_.push_back(std::move(entry));
}

base::Result<std::unique_ptr<NodeExecutors>> NodeExecutors::open(const ExecutorParts& parts) {
  std::unique_ptr<NodeExecutors> self(new NodeExecutors());
  const Sockets sockets;
  RETURN_IF_ERROR(self->open_oci(parts));
  const auto try_open = [](const std::string& name, const fs::path& socket, auto opener) {
    if (!is_there(socket)) return;
    if (auto opened = opener(); !opened) base::log::warn("{} isn't used: {}", name, opened.error().message);
  };
  try_open("docker", sockets.docker, [&] { return self->open_engine(parts, "docker", sockets.docker); });
  try_open("podman", sockets.podman, [&] { return self->open_engine(parts, "podman", sockets.podman); });
  try_open("containerd", sockets.containerd, [&] { return self->open_containerd(parts, sockets.containerd); });
  if (self->entries_.empty()) return base::fail(base::Code::kNotFound, kNothingRunsContainers);
  RETURN_IF_ERROR(self->open_process(parts));
  RETURN_IF_ERROR(self->choose_default(parts.preferred));
  for (const auto& entry : self->entries_)
    self->described_.push_back(describe(entry->name, entry->runtime->capabilities()));
  self->described_.front().set_is_default(true);
  return self;
}

base::Result<> NodeExecutors::open_oci(const ExecutorParts& parts) {
  auto binaries = runtimes::oci::find_oci_runtimes();
  if (!binaries) return {};
  ASSIGN_OR_RETURN(auto runtime, runtimes::oci::OciRuntime::open(parts.executor, parts.workers,
                                                                 {.state_folder = parts.folders.run(parts.short_id),
                                                                  .data_folder = parts.folders.containers(),
                                                                  .cluster_short_id = parts.short_id,
                                                                  .binaries = *std::move(binaries)}));
  add("oci", std::move(runtime), &parts.images);
  return {};
}

base::Result<> NodeExecutors::open_engine(const ExecutorParts& parts, const std::string& name, const fs::path& socket) {
  auto wire = [known = wire_](std::string id, fs::path path) {
    return wire_when_known(known, std::move(id), std::move(path));
  };
  ASSIGN_OR_RETURN(auto runtime,
                   runtimes::engine::EngineRuntime::open(parts.executor, parts.workers, parts.clock,
                                                         {.socket = socket,
                                                          .cluster_short_id = parts.short_id,
                                                          .state_folder = parts.folders.run(parts.short_id) / name,
                                                          .data_folder = parts.folders.executor(name),
                                                          .wire = std::move(wire)}));
  add(name, std::move(runtime), nullptr);
  auto& entry = *entries_.back();
  entry.own_images =
      std::make_unique<node::images::engine::EngineImages>(parts.executor, parts.clock, socket, parts.images);
  entry.images = entry.own_images.get();
  return {};
}

base::Result<> NodeExecutors::open_containerd(const ExecutorParts& parts, const fs::path& socket) {
  constexpr char kName[] = "containerd";
  ASSIGN_OR_RETURN(auto runtime, runtimes::containerd::ContainerdRuntime::open(
                                     parts.executor, parts.workers,
                                     {.socket = socket,
                                      .state_folder = parts.folders.run(parts.short_id) / kName,
                                      .data_folder = parts.folders.executor(kName),
                                      .cluster_short_id = parts.short_id}));
  add(kName, std::move(runtime), &parts.images);
  return {};
}

base::Result<> NodeExecutors::open_process(const ExecutorParts& parts) {
  constexpr char kName[] = "process";
  ASSIGN_OR_RETURN(auto runtime,
                   runtimes::process::ProcessRuntime::open(parts.executor, parts.workers,
                                                           {.state_folder = parts.folders.run(parts.short_id) / kName,
                                                            .data_folder = parts.folders.executor(kName),
                                                            .cluster_short_id = parts.short_id}));
  add(kName, std::move(runtime), nullptr);
  return {};
}

// It comes first; the others stay in order.
base::Result<> NodeExecutors::choose_default(const std::string& preferred) {
  if (preferred.empty()) return {};
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) { return entry->name == preferred; });
  if (found == entries_.end()) {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.push_back(entry->name);
    return base::fail(base::Code::kNotFound,
                      fmt::format("--executor {}: this machine has {} only; start it, then this again", preferred,
                                  fmt::join(names, ", ")));
  }
  std::rotate(entries_.begin(), found, std::next(found));
  return {};
}

node::agent::Executors NodeExecutors::executors() const {
  std::vector<node::agent::Executor> all;
  for (const auto& entry : entries_) {
    all.push_back({.name = entry->name,
                   .runtime = *entry->runtime,
                   .images = entry->images,
                   .wires_at_start = entry->runtime->capabilities().wires_at_start});
  }
  return node::agent::Executors(std::move(all));
}

}  // namespace orchion::daemon
