#include "testing/cluster.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/asio/co_spawn.hpp>

#include "base/file.h"

namespace orchion::testing {

namespace {

constexpr auto kCallLimit = std::chrono::seconds(30);
constexpr auto kFinishLimit = std::chrono::seconds(30);
constexpr auto kQuiet = std::chrono::seconds(60);

// A run that goes wrong goes on being wrong: the first of it is what tells.
constexpr std::size_t kWrongMax = 10;

// The caller's end of a unary rpc and the server's in one.
class UnaryCall final : public core::MessageStream {
 public:
  explicit UnaryCall(core::MessagePtr request) : request_(std::move(request)) {}

  base::Co<std::optional<core::MessagePtr>> receive() override {
    if (!request_) co_return std::optional<core::MessagePtr>();
    co_return std::optional<core::MessagePtr>(std::move(request_));
  }
  base::Co<> send(core::MessagePtr message) override {
    response_ = std::move(message);
    co_return base::Result<>{};
  }
  void finish() override { finished_ = true; }
  void finish(base::Error error) override {
    error_ = std::move(error);
    finished_ = true;
  }

  bool finished() const { return finished_; }
  base::Result<core::MessagePtr> take() {
    if (error_) return std::unexpected(*std::move(error_));
    if (!response_) return base::fail(base::Code::kInternal, "the handler answered nothing");
    return std::move(response_);
  }

 private:
  core::MessagePtr request_;
  core::MessagePtr response_;
  std::optional<base::Error> error_;
  bool finished_ = false;
};

// In memory where there is such a place: agents sync their checkpoints.
std::filesystem::path new_folder() {
  const std::filesystem::path memory = "/dev/shm";
  const auto parent = std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  return parent / ("orchion-cluster-" + base::Random::from_system().text(10));
}

double seconds(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Cluster::Cluster(int machines, std::uint64_t seed, ClusterOptions options)
    : seed_(seed), random_(seed), folder_(new_folder()), memory_(io_.get_executor(), fmt::format("epoch-{}", seed)) {
  base::log::set_level(options.log);
  start_server();
  for (int i = 0; i < machines; ++i) {
    const auto hostname = fmt::format("node-{:02}", i);
    machines_.push_back(
        std::make_unique<Machine>(io_.get_executor(), clock_, hostname, folder_ / hostname, random_.next()));
    for (const auto& image : options.images) machines_.back()->images.add_to_registry(image, {.command = {"serve"}});
    machines_.back()->link.connect(server_->methods());
    finish("starting an agent", machines_.back()->start_agent());
  }
  step(fmt::format("a cluster of {} machines", machines));
  advance(std::chrono::seconds(1));
}

Cluster::~Cluster() {
  for (auto& machine : machines_) finish("killing an agent", machine->kill_agent());
  stop_server();
  server_.reset();
  if (auto removed = base::remove_tree(folder_); !removed) fmt::print(stderr, "{}\n", removed.error().message);
}

void Cluster::start_server() {
  server_ = std::make_unique<Server>(io_.get_executor(), store_, server_clock_, random_.next());
  finish("starting the control plane", server_->start([this](const auto& commit) { history_.take(*commit); }));
}

void Cluster::stop_server() {
  for (auto& machine : machines_) finish("cutting a link", machine->link.cut());
  finish("stopping the control plane", server_->shutdown());
}

// --- time ---

void Cluster::run_ready() {
  io_.restart();
  io_.poll();
}

void Cluster::turn_clock(base::Time end) {
  run_ready();
  clock_.advance(std::min(clock_.next_deadline(), end) - clock_.now());
  run_ready();
}

void Cluster::finish(std::string_view what, base::Co<> coroutine) {
  // Shared: one that doesn't end in time may still end later.
  auto result = std::make_shared<std::optional<base::Result<>>>();
  boost::asio::co_spawn(io_, std::move(coroutine), [result](std::exception_ptr thrown, base::Result<> value) {
    *result = thrown ? base::fail(base::Code::kCancelled, "it was cancelled") : std::move(value);
  });
  const auto limit = clock_.now() + kFinishLimit;
  run_ready();
  while (!*result && clock_.now() < limit) turn_clock(limit);
  if (!*result) return wrong(fmt::format("{} did not end", what));
  if (!**result) wrong(fmt::format("{}: {}", what, (*result)->error().message));
}

void Cluster::advance(base::Duration duration) {
  const auto end = clock_.now() + duration;
  std::uint64_t looked_at = history_.commits();
  while (clock_.now() < end) {
    turn_clock(end);
    if (history_.commits() != looked_at) look();
    looked_at = history_.commits();
  }
  look();
}

void Cluster::quiet() {
  step("quiet");
  advance(kQuiet);
  for (const auto& what : check_quiet(view(), machines_)) wrong(what);
}

base::Result<core::MessagePtr> Cluster::call_any(std::string_view method, core::MessagePtr request) {
  step(fmt::format("{} {}", method.substr(method.rfind('.') + 1), request->ShortDebugString().substr(0, 100)));
  const auto* found = server_->methods().find(method);
  if (found == nullptr) return base::fail(base::Code::kUnimplemented, fmt::format("there is no rpc {}", method));
  auto call = std::make_shared<UnaryCall>(std::move(request));
  server_->call(*found, call);
  const auto limit = clock_.now() + kCallLimit;
  run_ready();
  while (!call->finished() && clock_.now() < limit) turn_clock(limit);
  look();
  if (!call->finished()) return base::fail(base::Code::kDeadlineExceeded, fmt::format("{} did not end", method));
  return call->take();
}

// --- faults ---

void Cluster::kill_agent(int machine) {
  step(fmt::format("kill the agent of {}", machine));
  finish("killing an agent", this->machine(machine).kill_agent());
  look();
}

void Cluster::start_agent(int machine) {
  step(fmt::format("start the agent of {}", machine));
  finish("starting an agent", this->machine(machine).start_agent());
  look();
}

void Cluster::lose_power(int machine) {
  step(fmt::format("{} loses power", machine));
  finish("killing an agent", this->machine(machine).kill_agent());
  this->machine(machine).lose_power();
  look();
}

void Cluster::cut_link(int machine) {
  step(fmt::format("cut the link of {}", machine));
  finish("cutting a link", this->machine(machine).link.cut());
  look();
}

void Cluster::mend_link(int machine) {
  step(fmt::format("mend the link of {}", machine));
  this->machine(machine).link.connect(server_->methods());
  look();
}

void Cluster::crash_container(int machine, const std::string& id) {
  step(fmt::format("crash {} on {}", id, machine));
  this->machine(machine).hardware.crash(id);
  run_ready();
  look();
}

void Cluster::restart_server() {
  step("restart the control plane");
  std::vector<Machine*> linked;
  for (auto& machine : machines_)
    if (machine->link.connected()) linked.push_back(machine.get());
  stop_server();
  start_server();
  for (auto* machine : linked) machine->link.connect(server_->methods());
  look();
}

void Cluster::disturb_link(int machine, const Disturbance& disturbance) {
  step(fmt::format("the link of {} loses {}, doubles {} and delays {} of a thousand", machine,
                   disturbance.lost_per_mille, disturbance.doubled_per_mille, disturbance.delayed_per_mille));
  this->machine(machine).link.disturb(disturbance);
}

void Cluster::jump_clock(int machine, base::Duration by) {
  step(fmt::format("the clock of {} jumps by {:.0f} s", machine, seconds(by)));
  this->machine(machine).clock.jump(by);
}

void Cluster::jump_server_clock(base::Duration by) {
  step(fmt::format("the clock of the control plane jumps by {:.0f} s", seconds(by)));
  server_clock_.jump(by);
}

void Cluster::slow_store(base::Duration delay) {
  step(fmt::format("each commit takes {:.3f} s", seconds(delay)));
  store_.slow_down(delay);
}

void Cluster::fill_store(bool full) {
  step(full ? "the store is full" : "the store has room again");
  store_.set_full(full);
}

// --- looking ---

std::vector<std::string> Cluster::running_on(int machine) {
  std::vector<std::string> running;
  for (const auto& container : this->machine(machine).containers())
    if (container.phase == node::runtimes::ContainerPhase::kRunning) running.push_back(container.id);
  return running;
}

std::vector<std::string> Cluster::leftovers() {
  std::vector<std::string> all;
  for (auto& machine : machines_)
    for (auto& what : machine->leftovers()) all.push_back(std::move(what));
  return all;
}

void Cluster::step(std::string what) {
  steps_.push_back(fmt::format("{:10.3f} {}", seconds(clock_.now().time_since_epoch()), what));
}

void Cluster::look() {
  for (; violations_seen_ < history_.violations().size(); ++violations_seen_)
    wrong(history_.violations()[violations_seen_]);
  for (const auto& what : check_moment(view(), history_, machines_)) wrong(what);
}

void Cluster::expect(bool holds, const std::string& what) {
  if (!holds) wrong(what);
}

void Cluster::wrong(const std::string& what) {
  if (wrong_.size() >= kWrongMax) return;
  wrong_.push_back(what);
  step("WRONG: " + what);
}

std::string Cluster::report() const {
  if (wrong_.empty()) return {};
  return fmt::format("seed {}, {} machines:\n  {}\n", seed_, machines_.size(), fmt::join(steps_, "\n  "));
}

}  // namespace orchion::testing
