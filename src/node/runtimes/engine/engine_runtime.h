#pragma once

// Containers by Docker or Podman.

#include <map>
#include <memory>
#include <set>

#include "base/worker_pool.h"
#include "node/engine/engine_client.h"
#include "node/runtimes/engine/container_record.h"
#include "node/runtimes/engine/engine_options.h"
#include "node/runtimes/engine/folder_watch.h"
#include "node/runtimes/engine/live_feed.h"
#include "node/runtimes/engine/log_capture.h"
#include "node/runtimes/engine/oom_counter.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

// The engine has the containers; what it can't remember is in a small file each, so that another instance on the same
// folders goes on. An engine that is away is waited for where something runs (wait), else it is an error soon. One
// executor; destroy it only after its calls have returned or were cancelled.
class EngineRuntime final : public Runtime {
 public:
  // Asks the engine what it is. Needs root and the engine on this machine. Blocks, some seconds where the engine
  // hangs; any thread. `pool` and `clock` must outlive the runtime.
  static base::Result<std::unique_ptr<EngineRuntime>> open(base::Executor executor, base::WorkerPool& pool,
                                                           base::Clock& clock, EngineOptions options);
  ~EngineRuntime() override;

  Capabilities capabilities() const override;
  base::Co<> prepare(ContainerConfig config) override;
  base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int signal) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) override;
  base::Co<std::optional<ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<ContainerInfo>> list() override;
  base::Co<std::vector<ForeignContainer>> list_foreign() override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) override;
  base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> attach(std::string id, AttachConfig config) override;
  std::filesystem::path log_folder(const std::string& id) const override;

  node::engine::Dialect dialect() const { return version_.dialect; }

 private:
  using State = node::engine::ContainerState;
  struct Running {
    std::int64_t pid = 0;
    base::WallTime at;  // when its program was let run
  };

  EngineRuntime(base::Executor executor, base::WorkerPool& pool, base::Clock& clock, EngineOptions options,
                node::engine::EngineVersion version, node::engine::EngineInfo info, std::shared_ptr<FolderWatch> watch);

  // Records, by id; what is in memory is on disk too.
  base::Result<> load_records();
  base::Result<ContainerRecord*> find_record(const std::string& id);
  base::Co<> save(std::string id, ContainerRecord record);

  base::Co<> make_files(ContainerConfig config);
  base::Co<std::string> create(ContainerConfig config, std::string document);
  base::Co<> clean_up(std::string id, bool keep_logs);
  base::Co<std::optional<std::string>> find_ours(std::string id);

  base::Co<> settle_before(std::string id, std::uint32_t attempt);
  base::Co<bool> was_begun(std::string id, std::uint32_t attempt);
  base::Co<ContainerInfo> pass_gate(std::string id, std::uint32_t attempt);
  base::Co<Running> run_program(std::string id, ContainerRecord record);
  base::Co<> wire(std::string id, std::int64_t pid);
  base::Co<> note_start(std::string id, std::uint32_t attempt, base::WallTime at);
  base::Co<> fail_start(std::string id);

  base::Co<std::optional<ExitStatus>> look_for_end(std::string id);
  base::Co<ExitStatus> settle_exit(std::string id, std::optional<State> state);
  base::Co<> wait_for_process(std::int64_t pid, std::string engine_id);
  base::Co<> await_end(std::string engine_id);
  base::Co<> drain(std::string id);
  void capture(const std::string& id);

  bool needs_feed(const ContainerRecord& record) const;
  void drop_feed(const std::string& id);
  base::Co<> feed_new(std::string id, ContainerRecord record, std::uint32_t attempt);
  base::Co<std::shared_ptr<LiveFeed>> feed_of(std::string id, ContainerRecord record);
  base::Co<std::unique_ptr<attach::AttachOutput>> open_output(std::string id, ContainerRecord record);
  base::Co<> end_input(std::string id);
  void count_kills(const std::string& engine_id, std::int64_t pid);
  ExitStatus exit_of(const std::optional<State>& state) const;
  ContainerInfo to_info(const std::string& id, const ContainerRecord& record, const std::optional<State>& state) const;

  std::string name_of(const std::string& id) const { return "orchion-" + options_.cluster_short_id + "-" + id; }
  std::filesystem::path folder(const std::string& id) const { return options_.data_folder / "containers" / id; }
  std::filesystem::path gate_folder(const std::string& id) const { return folder(id) / "gate"; }
  std::filesystem::path files_folder(const std::string& id) const { return options_.state_folder / "files" / id; }
  std::filesystem::path gate_program() const { return options_.data_folder / "gate" / "orchion-gate"; }

  base::Executor executor_;
  base::WorkerPool& pool_;
  base::Clock& clock_;
  const EngineOptions options_;
  const node::engine::EngineVersion version_;
  const node::engine::EngineInfo info_;
  std::shared_ptr<node::engine::EngineClient> client_;
  std::shared_ptr<FolderWatch> watch_;
  std::map<std::string, ContainerRecord> records_;
  std::map<std::string, std::shared_ptr<LogCapture>> captures_;
  std::map<std::string, std::shared_ptr<LiveFeed>> feeds_;  // of Docker's that take input, by id
  std::map<std::string, OomCounter> kills_;                 // of what runs, by the engine's id
  std::set<std::string> oom_killed_;                        // of what ended under our eyes, by the engine's id
  std::uint64_t execs_ = 0;                                 // names the sockets of their gates
};

}  // namespace orchion::node::runtimes::engine
