#include "control/controllers/cluster_fixture_test.h"

#include "control/store/object_store.h"

namespace orchion::control::controllers {

v1::StackSpec make_stack(const std::vector<ServiceDraft>& services, const std::vector<std::string>& volumes) {
  v1::StackSpec stack;
  for (const auto& draft : services) {
    auto& service = *stack.add_services();
    service.set_name(draft.name);
    service.mutable_spec()->mutable_container()->set_image(draft.image);
    service.mutable_spec()->set_replicas(draft.replicas);
    draft.more(*service.mutable_spec());
  }
  for (const auto& name : volumes) stack.add_volumes()->set_name(name);
  return stack;
}

void mount_data(v1::ServiceSpec& spec) {
  auto& mount = *spec.mutable_container()->add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  mount.set_target("/data");
}

ClusterFixture::ClusterFixture() {
  memory_ = std::make_unique<store::MemoryStore>(io_.get_executor(), "e1");
  objects_ = std::make_unique<store::ObjectStore>(io_.get_executor(), *memory_);
  EXPECT_TRUE(run(objects_->start()));
  start_controllers();
}

ClusterFixture::~ClusterFixture() {
  EXPECT_TRUE(run(controllers_->shutdown()));
  controllers_.reset();
  EXPECT_TRUE(run(objects_->shutdown()));
  io_.restart();
  io_.poll();
}

void ClusterFixture::start_controllers() {
  liveness_ = std::make_unique<NodeLiveness>(clock_.now());
  controllers_ = std::make_unique<ControllerSet>(io_.get_executor(), *objects_, clock_, base::Random(seed_++),
                                                 *liveness_, options_);
  controllers_->start();
}

void ClusterFixture::restart_controllers(base::Duration away, const std::function<void()>& meanwhile) {
  EXPECT_TRUE(run(controllers_->shutdown()));
  clock_.advance(away);
  meanwhile();
  start_controllers();
}

void ClusterFixture::commit(store::Transaction transaction) {
  const auto committed = run(objects_->commit(std::move(transaction)));
  ASSERT_TRUE(committed) << committed.error().message;
}

void ClusterFixture::apply(const std::string& name, v1::StackSpec spec) {
  core::fill_defaults(spec);
  const auto valid = core::validate_stack(name, spec);
  ASSERT_TRUE(valid) << valid.error().message;
  const auto present = view().stacks().find(name);
  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(name);
  stack.mutable_meta()->set_generation(stack.meta().generation() + 1);
  *stack.mutable_spec() = std::move(spec);
  if (!present) core::add_finalizer(*stack.mutable_meta(), core::kStackFinalizer);
  store::Transaction transaction;
  present ? store::put_spec(transaction, stack) : store::create(transaction, stack);
  commit(std::move(transaction));
}

void ClusterFixture::remove_stack(const std::string& name, bool volumes) {
  v1::Stack stack = *view().stacks().find(name);
  core::mark_deleted(*stack.mutable_meta(), clock_.wall());
  if (volumes) (*stack.mutable_meta()->mutable_labels())[core::kDeleteVolumesLabel] = "true";
  store::Transaction transaction;
  store::put_spec(transaction, stack);
  commit(std::move(transaction));
}

void ClusterFixture::change_node(const std::string& name, const std::function<void(v1::Node&)>& change) {
  v1::Node node = *view().nodes().find(name);
  change(node);
  store::Transaction transaction;
  store::put_spec(transaction, node);
  commit(std::move(transaction));
}

void ClusterFixture::add_node(const std::string& name, NodeDraft draft) {
  v1::Node node;
  node.mutable_meta()->set_name(name);
  node.mutable_meta()->set_uid("uid-" + name);
  node.mutable_status()->set_state(v1::NodeStatus::READY);
  auto& capabilities = *node.mutable_status()->mutable_capabilities();
  capabilities.set_nano_cpus(draft.cores * 1'000'000'000);
  capabilities.set_memory_bytes(draft.memory_gib << 30);
  capabilities.set_hostname(name);
  store::Transaction transaction;
  store::create(transaction, node);
  commit(std::move(transaction));
}

void ClusterFixture::bring_back(const std::string& name) {
  silent_.erase(name);
  v1::Node node = *view().nodes().find(name);
  node.mutable_status()->set_state(v1::NodeStatus::READY);
  liveness_->heard(node.meta().uid(), clock_.now());
  store::Transaction transaction;
  store::put_status(transaction, node);
  commit(std::move(transaction));
}

void ClusterFixture::run_controllers() {
  do {
    io_.restart();
  } while (io_.poll() > 0);
}

void ClusterFixture::settle() {
  for (int round = 0; round < 1000; ++round) {
    run_controllers();
    // A conflict is tried again after milliseconds.
    const auto soon = clock_.now() + std::chrono::milliseconds(20);
    if (clock_.next_deadline() <= soon) {
      clock_.advance(clock_.next_deadline() - clock_.now());
      continue;
    }
    if (!run_agents()) return check_invariants();
  }
  FAIL() << "the cluster does not come to rest";
}

void ClusterFixture::advance(std::chrono::seconds duration) {
  for (auto left = duration; left.count() > 0; --left) {
    clock_.advance(std::chrono::seconds(1));
    for (const auto& [name, node] : view().nodes().all())
      if (!silent_.contains(name.name)) liveness_->heard(node->meta().uid(), clock_.now());
    settle();
  }
}

// One step of every agent that answers.
bool ClusterFixture::run_agents() {
  bool acted = false;
  const auto all = view().tasks().all();
  for (const auto& [name, task] : all)
    if (task->spec().has_assignment() && !silent_.contains(task->spec().assignment().node()))
      acted = act(*task) || acted;
  const auto volumes = view().volumes().all();
  for (const auto& [name, volume] : volumes) {
    const auto node = view().nodes().find_uid(volume->status().node_uid());
    if (!core::has_finalizer(volume->meta(), core::kAgentFinalizer) || !node || silent_.contains(node->meta().name()))
      continue;
    confirm_removal(*volume);
    acted = true;
  }
  return acted;
}

// Its agent starts it again and again.
bool ClusterFixture::crash(v1::Task task) {
  if (task.status().failures() >= crashes) return false;
  task.mutable_status()->set_failures(task.status().failures() + 1);
  task.mutable_status()->set_restarts(task.status().failures());
  *task.mutable_status()->mutable_started_at() = core::to_timestamp(clock_.wall());
  report(std::move(task), v1::STARTING, "exited with 3");
  return true;
}

// As the image's tag says: "fail" ends, "done" succeeds, "work" too when it has run, "hang" never runs, all others run.
bool ClusterFixture::act(const v1::Task& task) {
  const auto state = task.status().state();
  if (task.spec().desired_state() != v1::DESIRED_RUNNING) {
    if (!core::is_terminal(state)) {
      report(task, v1::STOPPED);
      return true;
    }
    // What a run's task wrote stays until it is to go.
    if (!task.spec().run().empty() && !core::is_deleted(task.meta())) return false;
    if (!core::has_finalizer(task.meta(), core::kAgentFinalizer)) return false;
    confirm_removal(task);
    return true;
  }
  if (core::is_terminal(state)) return false;
  const auto revision = view().template_of(task);
  const std::string& image = revision->spec().template_().container().image();
  const std::string tag = image.substr(image.find(':') + 1);
  const bool is_bad = bad_nodes.contains(task.spec().assignment().node());
  if (tag == "crashy" && is_bad) {
    return crash(task);
  } else if (tag == "hang") {
    if (state == v1::STARTING) return false;
    report(task, v1::STARTING);
  } else if (tag == "fail" || (tag == "picky" && is_bad)) {
    report(task, v1::FAILED, "no such image");
  } else if (tag == "done") {
    report(task, v1::SUCCEEDED);
  } else if (tag == "work") {
    report(task, state == v1::RUNNING ? v1::SUCCEEDED : v1::RUNNING);
  } else {
    if (state == v1::RUNNING) return false;
    report(task, v1::RUNNING);
  }
  return true;
}

void ClusterFixture::report(v1::Task task, v1::TaskState state, const std::string& message) {
  auto& status = *task.mutable_status();
  status.set_state(state);
  status.set_attempt(1);
  status.set_message(message);
  *status.mutable_since() = core::to_timestamp(clock_.wall());
  if (state == v1::RUNNING) *status.mutable_started_at() = status.since();
  if (core::is_terminal(state)) *status.mutable_finished_at() = status.since();
  store::Transaction transaction;
  store::put_status(transaction, task);
  commit(std::move(transaction));
}

namespace {

// Beside a task that moves.
bool is_successor(const store::View& view, const v1::Task& task) {
  const auto former = view.tasks().find_uid(task.spec().predecessor());
  return former && !core::is_deleted(former->meta()) && former->spec().move().has_begun_at();
}

}  // namespace

// At rest: no two tasks in one slot but one that moves and its successor, no address twice and none that a gateway has,
// no host port twice on a node.
void ClusterFixture::check_invariants() const {
  std::set<std::tuple<std::string, std::string, std::uint32_t>> slots;
  std::set<std::pair<std::string, std::string>> addresses;
  for (const auto& [name, network] : view().networks().all())
    addresses.insert({network->meta().uid(), network->status().gateway()});
  for (const auto& [name, service] : view().services().all())
    for (const auto& address : service->status().virtual_addresses()) {
      EXPECT_TRUE(addresses.insert({address.network_uid(), address.address()}).second) << address.address();
    }
  std::set<std::tuple<std::string, std::uint32_t, std::string>> ports;
  for (const auto& [name, task] : view().tasks().all()) {
    const auto& assignment = task->spec().assignment();
    // Of a run those that ended stay.
    const bool of_run = !task->spec().run().empty();
    const bool counts =
        of_run ? !core::is_terminal(task->status().state()) && task->spec().desired_state() != v1::DESIRED_LOST
               : !core::is_deleted(task->meta());
    if (counts && !is_successor(view(), *task)) {
      const auto owner = owner_of(*task);
      const auto slot = of_run ? task->spec().index() : task->spec().slot();
      EXPECT_TRUE(slots.insert({owner.stack, owner.name, slot}).second) << name.name;
    }
    for (const auto& address : assignment.addresses()) {
      if (core::shares_network(*task)) continue;
      EXPECT_TRUE(addresses.insert({address.network_uid(), address.address()}).second) << address.address();
    }
    if (core::is_terminal(task->status().state())) continue;
    for (const auto& port : assignment.ports()) {
      EXPECT_TRUE(ports.insert({assignment.node_uid(), port.host_port(), port.protocol()}).second) << port.host_port();
    }
  }
}

std::vector<std::shared_ptr<const v1::Task>> ClusterFixture::tasks(const std::string& service, bool deleted) const {
  std::vector<std::shared_ptr<const v1::Task>> found;
  for (const auto& task : view().tasks_of_service("shop", service))
    if (core::is_deleted(task->meta()) == deleted) found.push_back(task);
  return found;
}

std::vector<std::shared_ptr<const v1::Task>> ClusterFixture::running(const std::string& service) const {
  auto found = tasks(service);
  std::erase_if(found, [](const auto& task) { return task->status().state() != v1::RUNNING; });
  return found;
}

const v1::ServiceStatus& ClusterFixture::service_status(const std::string& service) const {
  return view().services().find("shop", service)->status();
}

const v1::StackStatus& ClusterFixture::stack_status() const {
  return view().stacks().find("shop")->status();
}

std::map<std::string, int> ClusterFixture::per_node(const std::string& service) const {
  std::map<std::string, int> counts;
  for (const auto& task : tasks(service)) ++counts[task->spec().assignment().node()];
  return counts;
}

std::vector<std::string> ClusterFixture::reasons() const {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, event] : view().events().all()) sorted[name.name] = event->reason();
  std::vector<std::string> all;
  for (const auto& [name, reason] : sorted) all.push_back(reason);
  return all;
}

int ClusterFixture::count_reason(const std::string& reason) const {
  const auto all = reasons();
  return static_cast<int>(std::count(all.begin(), all.end(), reason));
}

}  // namespace orchion::control::controllers
