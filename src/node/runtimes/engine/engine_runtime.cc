#include "node/runtimes/engine/engine_runtime.h"

#include <csignal>
#include <optional>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/log.h"
#include "node/runtimes/engine/container_document.h"
#include "node/runtimes/engine/container_files.h"
#include "node/runtimes/engine/gate_image.h"
#include "node/runtimes/features.h"
#include "node/runtimes/memory_files.h"
#include "node/runtimes/network_files.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;
using node::engine::ContainerState;
using node::engine::Dialect;
using node::engine::EngineClient;
using node::engine::EngineInfo;
using node::engine::EngineVersion;

// Who takes longer is looked for again later.
constexpr auto kIntroductionLimit = std::chrono::seconds(3);

struct Introduction {
  EngineVersion version;
  EngineInfo info;
};

Co<Introduction> introduce(EngineClient& client) {
  Introduction made;
  CO_ASSIGN_OR_RETURN(made.version, co_await client.version());
  // Of Podman nothing is to be known: its compatible API can't choose an OCI runtime.
  if (made.version.dialect == Dialect::kDocker) {
    CO_ASSIGN_OR_RETURN(made.info, co_await client.info());
  }
  co_return made;
}

// On a loop of its own, since the agent's doesn't run yet, or is another thread's.
Result<Introduction> introduce_now(base::Clock& clock, const std::filesystem::path& socket) {
  boost::asio::io_context io;
  EngineClient client(io.get_executor(), clock, socket, {.first = kIntroductionLimit});
  Result<Introduction> made = base::fail(Code::kInternal, "the engine was not asked");
  boost::asio::co_spawn(io, introduce(client), [&](std::exception_ptr thrown, Result<Introduction> result) {
    if (thrown) std::rethrow_exception(thrown);
    made = std::move(result);
  });
  io.run();
  return made;
}

// Both engines look for files of v1 that kernels don't have any more.
bool weighs_disks() {
  return ::access("/sys/fs/cgroup/blkio", F_OK) != 0;
}

}  // namespace

Result<std::unique_ptr<EngineRuntime>> EngineRuntime::open(base::Executor executor, base::WorkerPool& pool,
                                                           base::Clock& clock, EngineOptions options) {
  if (::geteuid() != 0)
    return base::fail(Code::kPermissionDenied, "containers need root: run the agent as root, for example by sudo");
  // The engine's folder isn't ours.
  options.state_folder = std::filesystem::absolute(options.state_folder);
  options.data_folder = std::filesystem::absolute(options.data_folder);
  ASSIGN_OR_RETURN(auto introduction, introduce_now(clock, options.socket));
  RETURN_IF_ERROR(base::make_folders(options.state_folder));
  RETURN_IF_ERROR(base::make_folders(options.data_folder / "containers"));
  ASSIGN_OR_RETURN(auto watch, FolderWatch::open(executor));
  auto runtime = std::unique_ptr<EngineRuntime>(new EngineRuntime(std::move(executor), pool, clock, std::move(options),
                                                                  std::move(introduction.version),
                                                                  std::move(introduction.info), std::move(watch)));
  RETURN_IF_ERROR(install_gate(runtime->gate_program()));
  RETURN_IF_ERROR(runtime->load_records());
  return runtime;
}

EngineRuntime::EngineRuntime(base::Executor executor, base::WorkerPool& pool, base::Clock& clock, EngineOptions options,
                             EngineVersion version, EngineInfo info, std::shared_ptr<FolderWatch> watch)
    : executor_(executor),
      pool_(pool),
      clock_(clock),
      options_(std::move(options)),
      version_(std::move(version)),
      info_(std::move(info)),
      client_(std::make_shared<EngineClient>(std::move(executor), clock, options_.socket)),
      watch_(std::move(watch)) {}

EngineRuntime::~EngineRuntime() {
  for (const auto& [id, capture] : captures_) capture->stop();
  for (const auto& [id, feed] : feeds_) feed->stop();
}

Capabilities EngineRuntime::capabilities() const {
  std::map<std::string, Lack, std::less<>> lacks{{std::string(feature::kHooks), {"its API has no word for them"}}};
  const bool podman = version_.dialect == node::engine::Dialect::kPodman;
  lacks[std::string(feature::kOwnUsers)] = {podman ? "it would leave volumes to the node's users"
                                                   : "its users are the same for all its containers"};
  if (!weighs_disks())
    lacks[std::string(feature::kBlockWeight)] = {"it knows no weights of v1 control groups", /*of_node=*/true};
  return {.name = node::engine::dialect_name(version_.dialect),
          .version = version_.version,
          .oci_runtimes = info_.oci_runtimes,
          .survives_agent = true,
          .limits = true,
          .exec = true,
          .tty = true,
          .wires_at_start = version_.dialect == node::engine::Dialect::kDocker,
          .prepares_in_network = version_.dialect == node::engine::Dialect::kPodman,
          .lacks = std::move(lacks)};
}

std::filesystem::path EngineRuntime::log_folder(const std::string& id) const {
  return options_.data_folder / "logs" / id;
}

Result<> EngineRuntime::load_records() {
  std::error_code failed;
  const std::filesystem::directory_iterator folders(options_.data_folder / "containers", failed);
  if (failed) return base::fail_errno(failed.value(), "cannot list the containers' records");
  for (const auto& entry : folders) {
    const auto text = base::read_file(entry.path() / "record");
    if (text) records_[entry.path().filename().string()] = parse_record(*text);
  }
  return {};
}

Result<ContainerRecord*> EngineRuntime::find_record(const std::string& id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
  return &found->second;
}

Co<> EngineRuntime::save(std::string id, ContainerRecord record) {
  CO_ASSIGN_OR_RETURN(auto* mine, find_record(id));
  *mine = record;
  auto job = [path = folder(id) / "record", text = print_record(record)] { return base::write_file(path, text); };
  co_return co_await pool_.run(std::move(job));
}

Co<> EngineRuntime::make_files(ContainerConfig config) {
  const auto id = config.id;
  auto job = [config = std::move(config), here = folder(id), gate = gate_folder(id), files = files_folder(id),
              program = gate_program(), logs = log_folder(id)]() -> Result<> {
    RETURN_IF_ERROR(base::make_folders(here));
    RETURN_IF_ERROR(base::make_folders(logs));
    RETURN_IF_ERROR(write_network_files(here, config));
    RETURN_IF_ERROR(make_gate_folder(program, gate));
    return write_secret_files(config, files);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<std::optional<std::string>> EngineRuntime::find_ours(std::string id) {
  CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(name_of(id)));
  if (!state) co_return std::optional<std::string>();
  const auto is = [&](const char* label, const std::string& value) {
    const auto found = state->labels.find(label);
    return found != state->labels.end() && found->second == value;
  };
  if (!is(kClusterLabel, options_.cluster_short_id) || !is(kIdLabel, id)) co_return std::optional<std::string>();
  co_return std::optional<std::string>(state->id);
}

Co<std::string> EngineRuntime::create(ContainerConfig config, std::string document) {
  auto made = co_await client_->create_container(name_of(config.id), std::move(document));
  if (made || made.error().code != Code::kAlreadyExists) co_return made;
  // By a call whose answer was lost, or a process that ended before it could note it.
  CO_ASSIGN_OR_RETURN(const auto ours, co_await find_ours(config.id));
  if (ours) co_return *ours;
  co_return base::fail(
      Code::kAlreadyExists,
      fmt::format("a container {} that orchion did not make is in the way: remove or rename it", name_of(config.id)));
}

Co<> EngineRuntime::prepare(ContainerConfig config) {
  const auto id = config.id;
  DocumentContext context{.dialect = version_.dialect,
                          .cluster_short_id = options_.cluster_short_id,
                          .oci_runtimes = info_.oci_runtimes,
                          .wires = static_cast<bool>(options_.wire),
                          .weighs_disks = weighs_disks(),
                          .folder = folder(id),
                          .gate_folder = gate_folder(id),
                          .files_folder = files_folder(id)};
  CO_ASSIGN_OR_RETURN(auto document, container_document(config, context));
  if (const auto found = records_.find(id); found != records_.end()) {
    const auto record = found->second;
    CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(record.engine_id));
    // Memory doesn't outlive the machine's run, the container does.
    if (state || record.attempt > 0) co_return co_await make_files(std::move(config));
  }
  ContainerRecord record;
  record.program = config.arguments.front();
  record.log_bytes_max = config.log_bytes_max;
  record.tty = config.tty;
  record.stdin_open = config.stdin_open;
  auto made = co_await make_files(config);
  if (made) {
    auto created = co_await create(std::move(config), std::move(document));
    if (created) {
      record.engine_id = *std::move(created);
      records_[id] = record;
      made = co_await save(id, record);
    } else {
      made = std::unexpected(std::move(created).error());
    }
  }
  if (!made) {
    const auto removed = co_await remove(id, /*keep_logs=*/false);
    if (!removed) base::log::warn("what was made of container {} is left: {}", id, removed.error().message);
  }
  co_return made;
}

Co<> EngineRuntime::clean_up(std::string id, bool keep_logs) {
  records_.erase(id);
  auto job = [here = folder(id), files = files_folder(id), logs = log_folder(id), keep_logs]() -> Result<> {
    RETURN_IF_ERROR(remove_memory_files(files));
    if (!keep_logs) RETURN_IF_ERROR(base::remove_tree(logs));
    return base::remove_tree(here);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<> EngineRuntime::remove(std::string id, bool keep_logs) {
  std::optional<std::string> engine_id;
  const auto found = records_.find(id);
  if (found != records_.end()) {
    engine_id = found->second.engine_id;
    const bool may_speak = found->second.attempt > 0 && !found->second.exit;
    if (keep_logs && may_speak) {
      CO_RETURN_IF_ERROR(co_await client_->kill_container(*engine_id, SIGKILL));
      CO_RETURN_IF_ERROR(co_await await_end(*engine_id));
      CO_RETURN_IF_ERROR(co_await drain(id));
    }
  } else {
    CO_ASSIGN_OR_RETURN(engine_id, co_await find_ours(id));
  }
  if (const auto capture = captures_.find(id); capture != captures_.end()) {
    capture->second->stop();
    captures_.erase(capture);
  }
  if (engine_id) {
    CO_RETURN_IF_ERROR(co_await client_->remove_container(*engine_id));
    oom_killed_.erase(*engine_id);
    kills_.erase(*engine_id);
  }
  drop_feed(id);
  CO_RETURN_IF_ERROR(co_await end_input(id));
  co_return co_await clean_up(id, keep_logs);
}

Co<> EngineRuntime::signal(std::string id, int signal) {
  CO_ASSIGN_OR_RETURN(const auto* record, find_record(id));
  if (record->attempt == 0 || record->exit) co_return Result<>{};
  co_return co_await client_->kill_container(record->engine_id, signal);
}

Co<std::optional<ContainerInfo>> EngineRuntime::inspect(std::string id) {
  const auto found = records_.find(id);
  if (found == records_.end()) {
    CO_ASSIGN_OR_RETURN(const auto ours, co_await find_ours(id));
    if (!ours) co_return std::optional<ContainerInfo>();
    co_return std::optional<ContainerInfo>(to_info(id, ContainerRecord{}, std::nullopt));
  }
  const auto engine_id = found->second.engine_id;
  CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(engine_id));
  CO_ASSIGN_OR_RETURN(const auto* record, find_record(id));
  // Somebody removed what had never begun: it is to be prepared again.
  if (!state && record->attempt == 0) co_return std::optional<ContainerInfo>();
  capture(id);
  co_return std::optional<ContainerInfo>(to_info(id, *record, state));
}

Co<std::vector<ContainerInfo>> EngineRuntime::list() {
  CO_ASSIGN_OR_RETURN(const auto present, co_await client_->list_containers(kClusterLabel, options_.cluster_short_id));
  std::set<std::string> ids;
  for (const auto& [id, record] : records_) ids.insert(id);
  for (const auto& container : present) {
    const auto label = container.labels.find(kIdLabel);
    if (label != container.labels.end() && container.name == name_of(label->second)) ids.insert(label->second);
  }
  std::vector<ContainerInfo> infos;
  for (const auto& id : ids) {
    CO_ASSIGN_OR_RETURN(auto info, co_await inspect(id));
    if (info) infos.push_back(*std::move(info));
  }
  co_return infos;
}

Co<std::vector<ForeignContainer>> EngineRuntime::list_foreign() {
  CO_ASSIGN_OR_RETURN(auto present, co_await client_->list_containers("", ""));
  std::vector<ForeignContainer> foreign;
  for (auto& container : present) {
    const auto label = container.labels.find(kClusterLabel);
    if (label != container.labels.end() && label->second == options_.cluster_short_id) continue;
    foreign.push_back({std::move(container.id), std::move(container.name), std::move(container.image),
                       std::move(container.state), "", container.created_at});
  }
  co_return foreign;
}

}  // namespace orchion::node::runtimes::engine
