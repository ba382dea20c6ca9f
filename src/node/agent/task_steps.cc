// The runner's steps: each does one thing to the world and notes what came of it.

#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/log.h"
#include "core/defaults.h"
#include "core/health_check.h"
#include "core/log_source.h"
#include "core/naming.h"
#include "core/recovery.h"
#include "core/shared_network.h"
#include "core/task_changes.h"
#include "core/task_state.h"
#include "core/timestamps.h"
#include "node/agent/blocking.h"
#include "node/agent/container_config.h"
#include "node/agent/mounts.h"
#include "node/agent/node_files.h"
#include "node/agent/task_runner.h"
#include "node/devices/gpus/gpus.h"
#include "node/runtimes/features.h"

namespace orchion::node::agent {

namespace {

using boost::asio::experimental::awaitable_operators::operator&&;

constexpr char kFenced[] =
    "stopped, because this node has not heard the control plane for as long as its lease is (on_node_loss: fence)";

// As a shell reports them.
constexpr int kExitNotExecutable = 126;
constexpr int kExitNoCommand = 127;

bool lacks(const runtimes::Runtime& runtime, std::string_view feature) {
  return runtime.capabilities().lacks.contains(feature);
}

base::Result<> first_error(base::Result<> first, base::Result<> second) {
  return first ? second : first;
}

}  // namespace

base::Co<> TaskRunner::prepare_image() {
  const auto& wanted = checkpoint_.assignment().container().executor();
  if (executor_ == nullptr) executor_ = tools_.executors.find(executor_of(checkpoint_));
  if (executor_ == nullptr)
    co_return base::fail(base::Code::kUnavailable,
                         fmt::format("this node has no {}: install it there, and start it", wanted));
  enter(v1::PREPARING, "Preparing");
  status_now().set_executor(executor_->name);
  CO_ASSIGN_OR_RETURN(inputs_, co_await tools_.inputs.provide(uid(), checkpoint_.assignment().inputs()));
  // What is on the machine already needs no image.
  image_ = images::ImageRecord();
  if (executor_->images != nullptr) {
    image_.reset();
    CO_ASSIGN_OR_RETURN(image_, co_await find_image());
  }
  status_now().set_image_digest(image_->digest);
  status_now().set_image_pin(image_->pin);
  checkpoint_.set_stop_signal(stop_signal(checkpoint_.assignment().container(), image_->config));
  choose_check();
  if (tools_.image_present && executor_->images == &tools_.images) tools_.image_present(image_->digest);
  co_return base::Result<>{};
}

// What was imported here is known by its name alone, and is the right one where its digest is.
base::Co<images::ImageRecord> TaskRunner::find_image() {
  const auto spec = checkpoint_.assignment().container();
  auto& source = *executor_->images;
  if (spec.pull_policy() == v1::PULL_ALWAYS) co_return co_await source.pull(image_reference(spec));
  const bool elsewhere = checkpoint_.assignment().image_elsewhere();
  const bool never = spec.pull_policy() == v1::PULL_NEVER;
  if (spec.image_digest().empty() && !elsewhere && !never) co_return co_await source.ensure(spec.image());
  CO_ASSIGN_OR_RETURN(auto named, co_await source.find(spec.image()));
  if (named && images::is_pinned_to(*named, spec.image_digest())) co_return std::move(*named);
  CO_ASSIGN_OR_RETURN(auto present, co_await source.find(image_reference(spec)));
  if (present) co_return std::move(*present);
  // A node that has it is nearer than a registry, which perhaps never had it.
  if (elsewhere) {
    auto fetched = co_await tools_.image_fetcher.fetch(spec.image(), spec.image_digest());
    if (fetched && &source == &tools_.images) co_return fetched;
    if (fetched)
      co_return co_await source.ensure(image_reference(spec));  // an engine takes it from this machine's store
    base::log::warn("task {}: cannot get {} from another node: {}", task().meta().name(), spec.image(),
                    fetched.error().message);
  }
  if (!never) co_return co_await source.ensure(image_reference(spec));
  co_return co_await find_imported_image(spec);
}

// What was brought in by hand an engine doesn't have yet; no registry is asked.
base::Co<images::ImageRecord> TaskRunner::find_imported_image(v1::ContainerSpec spec) {
  CO_ASSIGN_OR_RETURN(const auto imported, co_await tools_.images.find(image_reference(spec)));
  if (imported) co_return co_await executor_->images->ensure(image_reference(spec));
  co_return base::fail(
      base::Code::kNotFound,
      fmt::format("the image {} isn't on this node and `pull_policy: never` forbids to fetch it: make it with "
                  "`orchion build`, or bring it in with `orchion image import`",
                  spec.image()));
}

// Of its own, from now on or since an earlier process.
void TaskRunner::has_network() {
  if (uses_host_network() || core::shares_network(task())) return;
  tools_.network_table.shares().set_network(
      uid(), is_wired_at_start() ? NetworkShares::Network::kOfEachStart : NetworkShares::Network::kWired);
}

bool TaskRunner::has_network_to_enter() const {
  return !core::shares_network(task()) ||
         tools_.network_table.shares().network_of(network_owner()) != NetworkShares::Network::kAbsent;
}

void TaskRunner::say_what_it_waits_for() {
  if (has_network_to_enter() || status().state() != v1::PREPARING || !status().message().empty()) return;
  status_now().set_message(
      fmt::format("waits for {}, whose network it shares",
                  core::slot_name(checkpoint_.assignment().container().network_service(), task().spec().slot())));
  report();
}

base::Result<> TaskRunner::check_shared_network() const {
  if (!core::shares_network(task())) return {};
  const bool comes_with_start =
      tools_.network_table.shares().network_of(network_owner()) == NetworkShares::Network::kOfEachStart;
  if (!is_wired_at_start() && !comes_with_start) return {};
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("Docker can't have it in the network of {}: use the executor oci, podman or containerd "
                                "for both",
                                checkpoint_.assignment().container().network_service()));
}

base::Co<> TaskRunner::prepare_container() {
  CO_RETURN_IF_ERROR(check_shared_network());
  if (!slot_) {
    CO_ASSIGN_OR_RETURN(slot_, co_await tools_.slots.acquire());
  }
  enter(v1::PREPARING, "Preparing");
  holds_resources_ = true;
  tools_.network_table.hold(task());
  if (executor_->runtime.capabilities().prepares_in_network) CO_RETURN_IF_ERROR(co_await attach());
  // Three that don't wait for each other. The checkpoint is on disk before the start: without it nothing is started.
  auto [attached, built, saved] = co_await (attach() && build() && save_as_starting());
  if (auto done = first_error(first_error(std::move(attached), std::move(built)), std::move(saved)); !done) {
    wish_unsaved_ = true;  // the checkpoint says more than was done
    co_return done;
  }
  container_ready_ = true;
  co_return base::Result<>{};
}

bool TaskRunner::uses_host_network() const {
  return checkpoint_.assignment().container().network_mode() == v1::HOST_NETWORK ||
         !executor_->runtime.capabilities().networks;
}

bool TaskRunner::is_wired_at_start() const {
  return executor_ != nullptr && executor_->wires_at_start;
}

base::Co<> TaskRunner::build() {
  ContainerInputs inputs;
  CO_ASSIGN_OR_RETURN(inputs.mounts, co_await resolve_mounts(checkpoint_.assignment(), tools_.volumes, tools_.workers));
  std::ranges::copy(inputs_, std::back_inserter(inputs.mounts));
  inputs.assignment = checkpoint_.assignment();
  inputs.networks = tools_.network_table.networks_of(task());
  inputs.image = *image_;
  // In the node's own network there is nothing to wire.
  if (!uses_host_network())
    inputs.network_namespace = tools_.networks.namespace_path(core::shares_network(task()) ? network_owner() : uid());
  inputs.log_bytes_max = tools_.log_bytes_max;
  CO_ASSIGN_OR_RETURN(auto config, container_config(inputs));
  std::vector<std::string> gpu_ids;
  for (const auto& share : task().spec().assignment().gpus()) gpu_ids.push_back(share.id());
  auto add = [files = tools_.node_files, gpus = tools_.gpus, ids = std::move(gpu_ids),
              has_hooks = !lacks(executor_->runtime, runtimes::feature::kHooks),
              contains = !lacks(executor_->runtime, runtimes::feature::kDevices),
              config = std::move(config)]() mutable -> base::Result<runtimes::ContainerConfig> {
    if (gpus != nullptr) RETURN_IF_ERROR(contains ? gpus->give(ids, config) : gpus->name(ids, config));
    return add_node_files(files, has_hooks, std::move(config));
  };
  CO_ASSIGN_OR_RETURN(auto complete, co_await run_blocking(tools_.workers, std::move(add)));
  co_return co_await executor_->runtime.prepare(std::move(complete));
}

base::Co<> TaskRunner::attach() {
  if (attached_ || uses_host_network() || (is_wired_at_start() && !running_)) co_return base::Result<>{};
  if (core::shares_network(task())) co_return base::Result<>{};
  auto network = task_network(task());
  for (const auto& attachment : network.attachments)
    CO_RETURN_IF_ERROR(co_await tools_.network_table.ensure(attachment.network_uid));
  CO_RETURN_IF_ERROR(co_await tools_.networks.attach(std::move(network)));
  attached_ = true;
  has_network();
  co_return base::Result<>{};
}

base::Co<> TaskRunner::wire(std::filesystem::path path) {
  auto network = task_network(task());
  for (const auto& attachment : network.attachments)
    CO_RETURN_IF_ERROR(co_await tools_.network_table.ensure(attachment.network_uid));
  CO_RETURN_IF_ERROR(co_await tools_.networks.attach_at(std::move(network), std::move(path)));
  attached_ = true;
  has_network();
  co_return base::Result<>{};
}

base::Co<> TaskRunner::start() {
  if (!slot_) {
    CO_ASSIGN_OR_RETURN(slot_, co_await tools_.slots.acquire());
  }
  enter(v1::STARTING, "Starting");
  auto container = co_await executor_->runtime.start(uid(), status().attempt());
  slot_.reset();
  if (container) {
    started(std::move(*container));
    co_return base::Result<>{};
  }
  const auto& error = container.error();
  if (error.code != base::Code::kNotFound && error.code != base::Code::kPermissionDenied)
    co_return std::unexpected(error);
  runtimes::ExitStatus exit;
  exit.code = error.code == base::Code::kNotFound ? kExitNoCommand : kExitNotExecutable;
  exit.finished_at = tools_.clock.wall();
  attempt_ended({exit, error.message});
  co_return base::Result<>{};
}

void TaskRunner::started(runtimes::ContainerInfo container) {
  running_ = true;
  published_ = false;
  up_since_ = tools_.clock.now();
  failure_backoff_.reset();
  not_before_ = {};
  mending_ = Mending::kNotTried;
  auto& status = status_now();
  status.set_pid(container.pid);
  status.set_container_id(uid());
  *status.mutable_started_at() = core::to_timestamp(container.started_at);
  status.clear_finished_at();
  status.clear_exit_code();
  status.clear_oom_killed();
  checkpoint_.set_started_up(false);
  begin_checks(/*adopted=*/false);
  tools_.network_table.set_ready(uid(), core::is_ready(status));
  enter(v1::RUNNING, "Running");
  begin_watch();
}

base::Co<> TaskRunner::publish() {
  CO_RETURN_IF_ERROR(co_await attach());
  CO_RETURN_IF_ERROR(co_await tools_.networks.publish(uid()));
  published_ = true;
  failure_backoff_.reset();
  if (!status().message().empty()) {
    status_now().clear_message();
    report();
  }
  co_return base::Result<>{};
}

// It runs, and nobody is sent to it for now.
base::Co<> TaskRunner::withdraw() {
  CO_RETURN_IF_ERROR(co_await unpublish());
  published_ = false;
  co_return base::Result<>{};
}

base::Co<> TaskRunner::unpublish() {
  if (!has_ports()) co_return base::Result<>{};
  published_ = false;
  auto done = co_await tools_.networks.unpublish(uid());
  // Its namespace goes soon, and the way to its ports with it.
  if (!done) base::log::warn("task {}: {}", task().meta().name(), done.error().message);
  co_return base::Result<>{};
}

// How the attempt ended becomes part of the status.
void TaskRunner::record_end() {
  auto& status = status_now();
  status.set_pid(0);
  status.clear_health();
  status.clear_health_message();
  status.clear_readiness();
  status.clear_readiness_message();
  if (!end_ || !end_->exit) return;
  status.set_exit_code(end_->exit->code);
  status.set_oom_killed(end_->exit->oom_killed);
  *status.mutable_finished_at() = core::to_timestamp(end_->exit->finished_at);
}

// An attempt's last change, also where the task's next begins: when it was, why, and its exit code.
void TaskRunner::note_end(v1::TaskState state) {
  auto change =
      change_of(status(), state, end_reason(*end_),
                describe_end(*end_, checkpoint_.assignment().container().limits().memory_bytes()), tools_.clock.wall());
  if (end_->exit) {
    change.set_exit_code(end_->exit->code);
    // What ends at once may have ended before it was seen to run.
    *change.mutable_time() = core::to_timestamp(not_before_last(status(), end_->exit->finished_at));
  }
  core::append_change(*status_now().mutable_changes(), std::move(change));
}

// What was told to stop did; how it took it, its exit code says.
void TaskRunner::note_stop(bool fenced) {
  auto change = fenced ? change_of(status(), v1::STOPPED, "Fenced", kFenced, tools_.clock.wall())
                       : change_of(status(), v1::STOPPED, "Stopped", "", tools_.clock.wall());
  if (end_ && end_->exit) change.set_exit_code(end_->exit->code);
  core::append_change(*status_now().mutable_changes(), std::move(change));
}

base::Co<> TaskRunner::restart() {
  CO_RETURN_IF_ERROR(co_await unpublish());
  tools_.network_table.set_ready(uid(), false);
  CO_RETURN_IF_ERROR(co_await note_last_output());
  record_end();
  note_end(final_state(view()));
  // What lived for a while is back at once; pauses are for what crashes again and again.
  auto delay = end_->lasted ? base::Duration::zero() : restart_backoff_.next(tools_.random);
  if (const auto& policy = checkpoint_.assignment().restart(); policy.has_delay())
    delay = core::from_duration(policy.delay());
  const auto why = describe_end(*end_, checkpoint_.assignment().container().limits().memory_bytes());
  end_.reset();
  interrupted_ = false;
  kill_signalled_ = false;
  not_before_ = tools_.clock.now() + delay;
  auto& status = status_now();
  status.set_attempt(status.attempt() + 1);
  status.set_restarts(status.restarts() + 1);
  status.set_last_end(why);
  status.set_state(v1::ASSIGNED);
  const auto wait =
      delay == base::Duration::zero()
          ? "restarts at once"
          : fmt::format("restarts in {:.1f} s{}", std::chrono::duration<double>(delay).count(), after_failures());
  note(v1::STARTING, "Restarting", wait);
  move_to(v1::STARTING, fmt::format("{}; {}", why, wait));
  co_return co_await save(Durability::kDisk);
}

base::Co<> TaskRunner::stop() {
  fenced_ = view().wanted;
  end_checks();
  enter(v1::STOPPING, "Stopping", fenced_ ? kFenced : "");
  CO_RETURN_IF_ERROR(co_await unpublish());
  // Should this agent end meanwhile, the next one must not find it running.
  if (tools_.network_table.needs_draining(uid())) CO_RETURN_IF_ERROR(co_await save(Durability::kDisk));
  CO_RETURN_IF_ERROR(co_await tools_.network_table.drain(uid()));
  stop_signalled_ = true;
  // Remembered beside the signal: a process that ends by it must not look like one that crashed.
  auto [saved, signalled] = co_await (save(Durability::kDisk) && ask_to_end());
  co_return first_error(std::move(saved), std::move(signalled));
}

// Its process has its grace to end, then begins anew as the next attempt. Still RUNNING, since this one isn't over.
base::Co<> TaskRunner::interrupt() {
  const auto remedy = recovery() == v1::Recovery::RUN_COMMAND ? v1::Recovery::RESTART : recovery();
  note(v1::RUNNING, "Interrupting", fmt::format("it {}", core::remedy_text(remedy)));
  status_now().set_message(
      fmt::format("is unhealthy ({}): it {}", status().health_message(), core::remedy_text(remedy)));
  report();
  end_checks();
  CO_RETURN_IF_ERROR(co_await unpublish());
  CO_RETURN_IF_ERROR(co_await tools_.network_table.drain(uid()));
  interrupted_ = true;
  co_return co_await ask_to_end();
}

base::Co<> TaskRunner::ask_to_end() {
  grace_ends_ = tools_.clock.now() + core::stop_grace_period(checkpoint_.assignment().container());
  const int number = signal_number(checkpoint_.stop_signal()).value_or(SIGTERM);
  auto signalled = co_await executor_->runtime.signal(uid(), number);
  // SIGKILL follows when the grace is over, whatever this came to.
  if (!signalled) base::log::warn("task {}: cannot signal it: {}", task().meta().name(), signalled.error().message);
  co_return base::Result<>{};
}

base::Co<> TaskRunner::kill() {
  CO_RETURN_IF_ERROR(co_await executor_->runtime.signal(uid(), SIGKILL));
  kill_signalled_ = true;
  note(status().state(), "Killing", "it did not end within its grace period");
  co_return base::Result<>{};
}

base::Co<> TaskRunner::finish() {
  auto state = final_state(view());
  const auto kept = co_await keep_outputs();
  if (end_) CO_RETURN_IF_ERROR(co_await note_last_output());
  record_end();
  const bool fenced = fenced_ || (view().wanted && tools_.clock.now() >= view().fenced_at);
  std::string message = fenced ? kFenced : "";
  state == v1::STOPPED ? note_stop(fenced) : note_end(state);
  if (state == v1::FAILED) message = describe_end(*end_, checkpoint_.assignment().container().limits().memory_bytes());
  // What ended well without what it was for has failed.
  if (state == v1::SUCCEEDED && !kept) {
    state = v1::FAILED;
    message = kept.error().message;
    note(state, "OutputMissing", message);
  }
  not_before_ = {};
  failure_backoff_.reset();
  move_to(state, std::move(message));
  co_return co_await save(Durability::kDisk);
}

// However it ended; of one that was never begun there is nothing.
base::Co<> TaskRunner::keep_outputs() {
  const auto outputs = checkpoint_.assignment().outputs();
  if (outputs.empty() || executor_ == nullptr || !status().has_started_at()) co_return base::Result<>{};
  co_return co_await tools_.outputs.keep(&executor_->runtime, uid(), outputs);
}

base::Co<> TaskRunner::release() {
  return clean_up(true);
}

base::Co<> TaskRunner::remove() {
  CO_RETURN_IF_ERROR(co_await clean_up(tools_.log_keeper != nullptr));
  CO_RETURN_IF_ERROR(co_await keep_logs());
  if (!checkpoint_.assignment().outputs().empty()) CO_RETURN_IF_ERROR(co_await tools_.outputs.remove(uid()));
  CO_RETURN_IF_ERROR(co_await tools_.inputs.release(uid(), checkpoint_.assignment().inputs()));
  checkpoint_.set_removed(true);
  report();
  co_return co_await save(Durability::kDisk);
}

base::Co<> TaskRunner::clean_up(bool keep_logs) {
  tools_.network_table.shares().set_network(uid(), NetworkShares::Network::kAbsent);
  // Without an executor nothing was begun.
  if (executor_ != nullptr) {
    auto [removed, detached] = co_await (executor_->runtime.remove(uid(), keep_logs) && tools_.networks.detach(uid()));
    CO_RETURN_IF_ERROR(first_error(std::move(removed), std::move(detached)));
  }
  tools_.network_table.release(uid());
  attached_ = false;
  container_ready_ = false;
  holds_resources_ = false;
  co_return base::Result<>{};
}

// What it said outlives it, in the keeper's care.
base::Co<> TaskRunner::keep_logs() {
  if (tools_.log_keeper == nullptr || executor_ == nullptr) co_return base::Result<>{};
  auto keep = [keeper = tools_.log_keeper, source = core::log_source(task()),
               folder = executor_->runtime.log_folder(uid())] { return keeper->keep(source, folder); };
  co_return co_await run_blocking(tools_.workers, std::move(keep));
}

// A disk that is full or gone stops no task: what isn't remembered is found out again from the runtime.
base::Co<> TaskRunner::save(Durability durability) {
  wish_unsaved_ = false;
  checkpoint_.set_boot_id(tools_.boot_id);
  auto saved = co_await tools_.folder.save_task(checkpoint_, durability);
  if (!saved) base::log::warn("task {}: cannot remember its state: {}", task().meta().name(), saved.error().message);
  co_return base::Result<>{};
}

base::Co<> TaskRunner::save_as_starting() {
  checkpoint_.set_boot_id(tools_.boot_id);
  checkpoint_.clear_networks();
  for (auto& network : tools_.network_table.networks_of(task())) *checkpoint_.add_networks() = std::move(network);
  auto copy = checkpoint_;
  core::append_change(*copy.mutable_status()->mutable_changes(),
                      change_of(status(), v1::STARTING, "Starting", "", tools_.clock.wall()));
  copy.mutable_status()->set_state(v1::STARTING);
  wish_unsaved_ = false;
  co_return co_await tools_.folder.save_task(std::move(copy), Durability::kDisk);
}

}  // namespace orchion::node::agent
