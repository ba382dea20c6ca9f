#include "daemon/node_executors.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/rootless.h"
#include "daemon/user_pool.h"
#include "node/images/engine/engine_images.h"
#include "node/runtimes/containerd/containerd_runtime.h"
#include "node/runtimes/engine/engine_runtime.h"
#include "node/runtimes/features.h"
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

bool is_there(const fs::path& socket) {
  std::error_code ignored;
  return fs::is_socket(socket, ignored);
}

constexpr char kContainerd[] = "containerd";

// In the order in which they are chosen.
std::vector<KnownEngine> known_engines() {
  // Theirs are other users, and other networks, than a user namespace has.
  if (::geteuid() != 0 || is_rootless()) return {};
  return {{"docker", socket_of("DOCKER_HOST", "/var/run/docker.sock")},
          {"podman", socket_of("CONTAINER_HOST", "/run/podman/podman.sock")},
          {kContainerd, socket_of("CONTAINERD_ADDRESS", "/run/containerd/containerd.sock")}};
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
  if (can.lacks.contains(runtimes::feature::kOwnUsers)) info.add_lacks("users");
  return info;
}

base::Co<> wire_when_known(std::shared_ptr<runtimes::WireNamespace> wire, std::string id, fs::path path) {
  if (!*wire) co_return base::fail(base::Code::kUnavailable, "the agent has not started yet");
  co_return co_await (*wire)(std::move(id), std::move(path));
}

}  // namespace

base::Result<> check_machine() {
  if (::geteuid() != 0) RETURN_IF_ERROR(check_rootless());
  const auto engines = known_engines();
  if (std::ranges::any_of(engines, [](const auto& engine) { return is_there(engine.socket); })) return {};
  if (!runtimes::oci::has_oci_runtime()) return base::fail(base::Code::kNotFound, kNothingRunsContainers);
  return {};
}

struct NodeExecutors::Entry {
  std::string name;
  std::unique_ptr<runtimes::Runtime> runtime;
  std::unique_ptr<node::images::ImageSource> own_images;  // an engine's
  node::images::ImageSource* images = nullptr;
};

NodeExecutors::NodeExecutors(const ExecutorParts& parts)
    : parts_(parts), wire_(std::make_shared<runtimes::WireNamespace>()), executors_({}) {}

NodeExecutors::~NodeExecutors() = default;

base::Result<std::unique_ptr<NodeExecutors>> NodeExecutors::open(const ExecutorParts& parts) {
  std::unique_ptr<NodeExecutors> self(new NodeExecutors(parts));
  std::vector<Opened> found;
  if (runtimes::oci::has_oci_runtime()) {
    ASSIGN_OR_RETURN(auto oci, self->open_oci());
    found.push_back(std::move(oci));
  }
  for (const auto& engine : known_engines()) {
    if (!is_there(engine.socket)) continue;
    auto opened = open_engine(parts, self->wire_, engine);
    if (opened) found.push_back(std::move(*opened));
    if (!opened) self->say_unusable(engine, opened.error());
  }
  if (found.empty()) return base::fail(base::Code::kNotFound, kNothingRunsContainers);
  // Without root a program of the machine itself could be neither limited nor ended for sure.
  if (!is_rootless()) {
    ASSIGN_OR_RETURN(auto process, self->open_process());
    found.push_back(std::move(process));
  }
  RETURN_IF_ERROR(put_default_first(parts.preferred, found));
  for (auto& entry : found) self->add(std::move(entry));
  return self;
}

base::Co<> NodeExecutors::look_again() {
  for (const auto& engine : known_engines()) {
    if (executors_.find(engine.name) != nullptr || !is_there(engine.socket)) continue;
    auto job = [parts = parts_, wire = wire_, engine] { return open_engine(parts, wire, engine); };
    auto opened = co_await parts_.workers.run(std::move(job));
    if (opened) {
      base::log::info("{} at {} is used from now on", engine.name, engine.socket.string());
      add(std::move(*opened));
    } else {
      say_unusable(engine, opened.error());
    }
  }
  co_return base::Result<>{};
}

// Once for each reason: it is looked for every few seconds.
void NodeExecutors::say_unusable(const KnownEngine& engine, const base::Error& error) {
  auto& said = unusable_[engine.name];
  if (said != error.message) base::log::warn("{} isn't used: {}", engine.name, error.message);
  said = error.message;
}

void NodeExecutors::add(Opened entry) {
  const auto can = entry->runtime->capabilities();
  executors_.add(
      {.name = entry->name, .runtime = *entry->runtime, .images = entry->images, .wires_at_start = can.wires_at_start});
  const std::lock_guard lock(mutex_);
  described_.push_back(describe(entry->name, can));
  described_.front().set_is_default(true);
  entries_.push_back(std::move(entry));
}

std::vector<v1::RuntimeInfo> NodeExecutors::described() const {
  const std::lock_guard lock(mutex_);
  return described_;
}

base::Result<NodeExecutors::Opened> NodeExecutors::open_oci() const {
  ASSIGN_OR_RETURN(auto binaries, runtimes::oci::find_oci_runtimes());
  std::optional<std::string> group;
  if (is_rootless()) group = rootless_group();
  ASSIGN_OR_RETURN(const auto users, read_user_pool());
  ASSIGN_OR_RETURN(auto runtime, runtimes::oci::OciRuntime::open(parts_.executor, parts_.workers,
                                                                 {.state_folder = parts_.folders.run(parts_.short_id),
                                                                  .data_folder = parts_.folders.containers(),
                                                                  .cluster_short_id = parts_.short_id,
                                                                  .delegated_group = std::move(group),
                                                                  .binaries = std::move(binaries),
                                                                  .users = users}));
  return std::make_unique<Entry>("oci", std::move(runtime), nullptr, &parts_.images);
}

base::Result<NodeExecutors::Opened> NodeExecutors::open_engine(const ExecutorParts& parts, const Wire& known_wire,
                                                               const KnownEngine& engine) {
  if (engine.name == kContainerd) return open_containerd(parts, engine.socket);
  auto wire = [known = known_wire](std::string id, fs::path path) {
    return wire_when_known(known, std::move(id), std::move(path));
  };
  ASSIGN_OR_RETURN(auto runtime, runtimes::engine::EngineRuntime::open(
                                     parts.executor, parts.workers, parts.clock,
                                     {.socket = engine.socket,
                                      .cluster_short_id = parts.short_id,
                                      .state_folder = parts.folders.run(parts.short_id) / engine.name,
                                      .data_folder = parts.folders.executor(engine.name),
                                      .wire = std::move(wire)}));
  auto images =
      std::make_unique<node::images::engine::EngineImages>(parts.executor, parts.clock, engine.socket, parts.images);
  auto& source = *images;
  return std::make_unique<Entry>(engine.name, std::move(runtime), std::move(images), &source);
}

base::Result<NodeExecutors::Opened> NodeExecutors::open_containerd(const ExecutorParts& parts, const fs::path& socket) {
  ASSIGN_OR_RETURN(auto runtime, runtimes::containerd::ContainerdRuntime::open(
                                     parts.executor, parts.workers,
                                     {.socket = socket,
                                      .state_folder = parts.folders.run(parts.short_id) / kContainerd,
                                      .data_folder = parts.folders.executor(kContainerd),
                                      .cluster_short_id = parts.short_id}));
  return std::make_unique<Entry>(kContainerd, std::move(runtime), nullptr, &parts.images);
}

base::Result<NodeExecutors::Opened> NodeExecutors::open_process() const {
  constexpr char kName[] = "process";
  ASSIGN_OR_RETURN(auto runtime,
                   runtimes::process::ProcessRuntime::open(parts_.executor, parts_.workers,
                                                           {.state_folder = parts_.folders.run(parts_.short_id) / kName,
                                                            .data_folder = parts_.folders.executor(kName),
                                                            .cluster_short_id = parts_.short_id}));
  return std::make_unique<Entry>(kName, std::move(runtime), nullptr, nullptr);
}

// The others stay in order.
base::Result<> NodeExecutors::put_default_first(const std::string& preferred, std::vector<Opened>& found) {
  if (preferred.empty()) return {};
  const auto chosen = std::ranges::find_if(found, [&](const auto& entry) { return entry->name == preferred; });
  if (chosen == found.end()) {
    std::vector<std::string> names;
    for (const auto& entry : found) names.push_back(entry->name);
    return base::fail(base::Code::kNotFound,
                      fmt::format("--executor {}: this machine has {} only; start it, then this again", preferred,
                                  fmt::join(names, ", ")));
  }
  std::rotate(found.begin(), chosen, std::next(chosen));
  return {};
}

}  // namespace orchion::daemon
