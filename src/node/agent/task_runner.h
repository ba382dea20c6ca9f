#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/task_group.h"
#include "node/agent/checkpoint_folder.h"
#include "node/agent/executors.h"
#include "node/agent/image_fetcher.h"
#include "node/agent/lease.h"
#include "node/agent/network_table.h"
#include "node/agent/node_files.h"
#include "node/agent/outbox.h"
#include "node/agent/output_folder.h"
#include "node/agent/slots.h"
#include "node/agent/task_inputs.h"
#include "node/agent/task_plan.h"
#include "node/images/images.h"
#include "node/logs/log_keeper.h"
#include "node/probes/known_images.h"
#include "node/probes/monitor.h"
#include "node/volumes/volumes.h"

namespace orchion::node::devices::gpus {
class Gpus;
}

namespace orchion::node::agent {

// What every runner of one agent shares. Outlives them.
struct TaskTools {
  base::Clock& clock;
  base::Random& random;
  const Executors& executors;
  images::Images& images;  // the machine's own
  ImageFetcher& image_fetcher;
  networks::Networks& networks;
  volumes::Volumes& volumes;
  NetworkTable& network_table;
  CheckpointFolder& folder;
  OutputFolder& outputs;
  TaskInputs& inputs;
  Outbox& outbox;
  Slots& slots;  // of those that prepare or start
  const Lease& lease;
  base::TaskGroup& group;
  base::WorkerPool* workers = nullptr;    // null: blocking work happens inline
  logs::LogKeeper* log_keeper = nullptr;  // null: a gone task's output goes with it
  std::string boot_id;
  std::int64_t log_bytes_max = 0;
  NodeFiles node_files = {};
  devices::gpus::Gpus* gpus = nullptr;                           // null: tasks are given none
  std::shared_ptr<const probes::KnownImages> known_images = {};  // as AgentOptions'
  // An image with this digest is on the node.
  std::function<void(const std::string& digest)> image_present;
  // Nothing of a task is left, its checkpoint included.
  std::function<void()> forgotten;
};

// What of this machine runs, or ran, the task; empty: the default.
std::string executor_of(const v1::TaskCheckpoint& checkpoint);

// One task on this node, from its assignment to its last file. Does one step at a time and reports before the next;
// what the next step is next_step() says. Needs no control plane. One executor; shared with its own coroutines.
class TaskRunner : public std::enable_shared_from_this<TaskRunner> {
 public:
  // A new task.
  TaskRunner(TaskTools& tools, v1::TaskAssignment assignment);

  // One that an earlier process had, with what the runtime says about it.
  TaskRunner(TaskTools& tools, v1::TaskCheckpoint checkpoint, std::optional<runtimes::ContainerInfo> container);

  // Until the task may be forgotten and is; or until cancelled, which leaves everything as it is.
  base::Co<> run();

  void assign(v1::TaskAssignment assignment);
  void unassign();
  void may_forget();

  // Something that its next step depends on has changed.
  void look_again() { changed_.notify(); }

  // The network namespace at `path` is the container's, whose program waits for this: see runtimes::WireNamespace.
  base::Co<> wire(std::filesystem::path path);

  // What runs it; nullptr where this machine has no such executor, and the task waits for one.
  const Executor* executor() const { return executor_; }
  const v1::TaskStatus& status() const { return checkpoint_.status(); }
  const v1::TaskAssignment& assignment() const { return checkpoint_.assignment(); }
  bool removed() const { return checkpoint_.removed(); }

  // What its checks found lately; empty where nothing checks it.
  v1::TaskHealth health() const;

 private:
  TaskView view() const;
  base::Co<> perform(Step step);
  base::Co<> prepare_image();
  base::Co<images::ImageRecord> find_image();
  base::Co<images::ImageRecord> find_imported_image(v1::ContainerSpec spec);
  base::Co<> prepare_container();
  void choose_check();
  base::Co<> attach();
  base::Co<> build();
  base::Co<> start();
  base::Co<> publish();
  base::Co<> unpublish();
  base::Co<> withdraw();
  base::Co<> restart();
  base::Co<> stop();
  base::Co<> interrupt();
  base::Co<> ask_to_end();
  base::Co<> kill();
  base::Co<> finish();
  base::Co<> keep_outputs();
  base::Co<> release();
  base::Co<> remove();
  base::Co<> clean_up(bool keep_logs);
  base::Co<> keep_logs();
  base::Co<> save(Durability durability);
  base::Co<> save_as_starting();
  base::Co<> note_last_output();
  base::Co<> begin_mending();
  static base::Co<> mend(std::shared_ptr<TaskRunner> self, std::uint32_t attempt);
  static base::Co<> watch(std::shared_ptr<TaskRunner> self, std::uint32_t attempt);

  void started(runtimes::ContainerInfo container);
  void begin_watch();
  void begin_checks(bool adopted);
  void end_checks();
  void take_findings();
  void note_findings(const probes::Findings& found);
  void attempt_ended(AttemptEnd end);
  void record_end();
  void count_end(const AttemptEnd& end);
  void count_failure();
  std::string after_failures() const;
  std::string how_ill() const;
  v1::Recovery::Action recovery() const { return checkpoint_.assignment().recovery().action(); }
  std::uint32_t restarts() const;
  void note_end(v1::TaskState state);
  void note_stop(bool fenced);
  void failed(StepKind step, base::Error error);
  void forget_what_is_told_twice();
  void enter(v1::TaskState state, const char* reason, std::string message = "");
  void move_to(v1::TaskState state, std::string message);
  void note(v1::TaskState state, const char* reason, std::string message = "");
  void report();
  bool has_ports() const;
  bool uses_host_network() const;
  bool is_wired_at_start() const;
  void has_network();
  bool has_network_to_enter() const;
  void say_what_it_waits_for();
  base::Result<> check_shared_network() const;
  const std::string& network_owner() const { return task().spec().assignment().network_of(); }
  v1::TaskStatus& status_now() { return *checkpoint_.mutable_status(); }
  const v1::Task& task() const { return checkpoint_.assignment().task(); }
  const std::string& uid() const { return task().meta().uid(); }

  TaskTools& tools_;
  v1::TaskCheckpoint checkpoint_;
  const Executor* executor_ = nullptr;
  ChangeSignal changed_;

  // What this process knows beyond the checkpoint.
  std::optional<images::ImageRecord> image_;
  std::vector<runtimes::MountPoint> inputs_;  // there when the image is
  std::optional<Slots::Slot> slot_;
  std::optional<AttemptEnd> end_;
  std::shared_ptr<probes::Monitor> monitor_;  // of the running attempt
  bool attached_ = false;                     // its network namespace is wired
  bool container_ready_ = false;
  bool running_ = false;
  bool published_ = false;
  Mending mending_ = Mending::kNotTried;  // of its illness
  std::string mending_said_;              // by a recovery command that failed
  bool interrupted_ = false;              // told to end, because it is unhealthy
  bool stop_signalled_ = false;
  bool fenced_ = false;  // stopped because the lease ended
  bool kill_signalled_ = false;
  bool holds_resources_ = false;
  bool wish_unsaved_ = false;  // what the control plane wants changed
  bool forget_ = false;
  base::Time grace_ends_;
  base::Time not_before_;
  base::Time up_since_;
  base::Backoff restart_backoff_;
  base::Backoff failure_backoff_;
};

}  // namespace orchion::node::agent
