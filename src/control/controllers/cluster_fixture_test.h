#pragma once

// For tests: all controllers over a store in memory and a turned clock, with agents and an API played by hand.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "control/controllers/controller_set.h"
#include "control/store/memory/memory_store.h"
#include "control/store/object_store.h"
#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/shared_network.h"
#include "core/task_state.h"
#include "core/validation.h"

namespace orchion::control::controllers {

// A stack in few words: {"web", "app:1", 3}. What a container does stands in the tag of its image, see act().
struct ServiceDraft {
  std::string name;
  std::string image = "app:1";
  std::uint32_t replicas = 1;
  std::function<void(v1::ServiceSpec&)> more = [](v1::ServiceSpec&) {};
};

v1::StackSpec make_stack(const std::vector<ServiceDraft>& services, const std::vector<std::string>& volumes = {});

// Mounts the stack's volume "data".
void mount_data(v1::ServiceSpec& spec);

class ClusterFixture : public testing::Test {
 protected:
  ClusterFixture();
  ~ClusterFixture() override;

  // --- the API ---
  void apply(const std::string& name, v1::StackSpec spec);
  void remove_stack(const std::string& name, bool volumes = false);
  void change_node(const std::string& name, const std::function<void(v1::Node&)>& change);

  // --- nodes ---
  struct NodeDraft {
    std::int64_t cores = 4;
    std::int64_t memory_gib = 8;
  };
  void add_node(const std::string& name, NodeDraft draft);
  void add_node(const std::string& name) { add_node(name, NodeDraft()); }
  void silence(const std::string& name) { silent_.insert(name); }
  // On these "picky" tasks fail, and "crashy" ones end again and again, `crashes` times before somebody looks.
  std::set<std::string> bad_nodes;
  std::uint32_t crashes = 5;
  // The agent begins a new session.
  void bring_back(const std::string& name);

  // --- time ---
  // Controllers and agents until nobody has anything left to do; then the invariants are checked.
  void settle();
  // Controllers only.
  void run_controllers();
  // Second by second, heartbeats of all but the silent included.
  void advance(std::chrono::seconds duration);
  // Another server over the same store; `away` passes between the two.
  void restart_controllers(base::Duration away = {}) {
    restart_controllers(away, [] {});
  }
  // `meanwhile`: what happens to the store while there is none.
  void restart_controllers(base::Duration away, const std::function<void()>& meanwhile);

  // --- what is there ---
  const store::View& view() const { return objects_->view(); }
  std::vector<std::shared_ptr<const v1::Task>> tasks(const std::string& service, bool deleted = false) const;
  std::vector<std::shared_ptr<const v1::Task>> running(const std::string& service) const;
  const v1::ServiceStatus& service_status(const std::string& service) const;
  const v1::StackStatus& stack_status() const;
  std::string message(const std::string& service) const { return service_status(service).message(); }
  std::map<std::string, int> per_node(const std::string& service) const;
  std::vector<std::string> reasons() const;  // of all events, oldest first
  int count_reason(const std::string& reason) const;

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> outcome;
    boost::asio::co_spawn(io_, std::move(coroutine), [&outcome](std::exception_ptr thrown, base::Result<T> result) {
      EXPECT_FALSE(thrown);
      outcome = std::move(result);
    });
    io_.restart();
    while (!outcome && io_.run_one() > 0) {
    }
    return outcome ? std::move(*outcome) : base::fail(base::Code::kInternal, "the loop has nothing left to do");
  }
  void commit(store::Transaction transaction);

  ControllerOptions options_;
  boost::asio::io_context io_;
  base::ManualClock clock_;
  std::unique_ptr<store::MemoryStore> memory_;
  std::unique_ptr<store::ObjectStore> objects_;
  std::unique_ptr<NodeLiveness> liveness_;
  std::unique_ptr<ControllerSet> controllers_;

 private:
  void start_controllers();
  bool run_agents();
  bool act(const v1::Task& task);
  bool crash(v1::Task task);
  void report(v1::Task task, v1::TaskState state, const std::string& message = "");

  // As the dispatcher does it when the agent says that nothing is left.
  template <class T>
  void confirm_removal(T object) {
    core::remove_finalizer(*object.mutable_meta(), core::kAgentFinalizer);
    store::Transaction transaction;
    store::put_spec(transaction, object);
    commit(std::move(transaction));
  }

  void check_invariants() const;

  std::set<std::string> silent_;
  std::uint64_t seed_ = 1;
};

}  // namespace orchion::control::controllers
