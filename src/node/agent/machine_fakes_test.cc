#include "node/agent/machine_fakes.h"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"

namespace orchion::node::agent {

base::Co<> next_turn() {
  co_await boost::asio::post(boost::asio::use_awaitable);
  co_return base::Result<>{};
}

void TestRuntime::end(const std::string& id, int code, bool oom_killed) {
  auto& info = containers.at(id).info;
  info.phase = runtimes::ContainerPhase::kExited;
  info.pid = 0;
  info.exit = runtimes::ExitStatus{.code = code, .signal = 0, .oom_killed = oom_killed, .finished_at = clock_.wall()};
  changed_.notify();
}

bool TestRuntime::is_running(const std::string& id) const {
  const auto found = containers.find(id);
  return found != containers.end() && found->second.info.phase == runtimes::ContainerPhase::kRunning;
}

std::int64_t TestRuntime::pid(const std::string& id) const {
  return containers.at(id).info.pid;
}

std::size_t TestRuntime::count(const std::string& operation) const {
  return static_cast<std::size_t>(std::count(operations.begin(), operations.end(), operation));
}

base::Co<> TestRuntime::prepare(runtimes::ContainerConfig config) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  operations.push_back("prepare " + config.id);
  const std::string id = config.id;
  auto& container = containers[id];
  container.info.id = id;
  container.config = std::move(config);
  co_return co_await next_turn();
}

base::Co<runtimes::ContainerInfo> TestRuntime::start(std::string id, std::uint32_t attempt) {
  struct Counter {
    int& count;
    ~Counter() { --count; }
  } counter{starting_};
  starting_max = std::max(starting_max, ++starting_);
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (auto failing = start_errors.extract(id)) co_return std::unexpected(failing.mapped());
  operations.push_back("start " + id + " " + std::to_string(attempt));
  auto& info = containers.at(id).info;
  info.phase = runtimes::ContainerPhase::kRunning;
  info.attempt = attempt;
  info.pid = real_pids.contains(id) ? real_pids[id] : ++pids_;
  info.started_at = clock_.wall();
  info.exit.reset();
  auto copy = info;
  CO_RETURN_IF_ERROR(co_await next_turn());
  co_return copy;
}

base::Co<runtimes::ExitStatus> TestRuntime::wait(std::string id) {
  while (true) {
    const auto found = containers.find(id);
    if (found == containers.end()) co_return base::fail(base::Code::kNotFound, "no such container");
    if (found->second.info.exit) co_return *found->second.info.exit;
    const auto seen = changed_.count();
    CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
  }
}

base::Co<> TestRuntime::signal(std::string id, int number) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  auto& container = containers.at(id);
  container.signals.push_back(number);
  const bool running = container.info.phase == runtimes::ContainerPhase::kRunning;
  if (running && (number == SIGKILL || !stubborn.contains(id))) end(id, 128 + number);
  co_return base::Result<>{};
}

base::Co<> TestRuntime::remove(std::string id, bool keep_logs) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  operations.push_back((keep_logs ? "release " : "remove ") + id);
  containers.erase(id);
  changed_.notify();
  co_return co_await next_turn();
}

base::Co<> TestRuntime::save_files(std::string id, std::string path, std::int64_t, std::filesystem::path file) {
  operations.push_back("save " + id + " " + path);
  const auto found = files.find(path);
  if (found == files.end()) co_return base::fail(base::Code::kNotFound, "there is no " + path);
  co_return base::write_file(file, found->second);
}

base::Co<std::optional<runtimes::ContainerInfo>> TestRuntime::inspect(std::string id) {
  const auto found = containers.find(id);
  if (found == containers.end()) co_return std::optional<runtimes::ContainerInfo>();
  co_return std::optional(found->second.info);
}

base::Co<std::vector<runtimes::ContainerInfo>> TestRuntime::list() {
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (list_error) co_return std::unexpected(*list_error);
  std::vector<runtimes::ContainerInfo> result;
  for (const auto& [id, container] : containers) result.push_back(container.info);
  co_return result;
}

namespace {

using ProcessEnd = base::Stream<runtimes::ExecInput, runtimes::ExecOutput>;

base::Co<> echo(std::shared_ptr<ProcessEnd> end) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await end->receive());
    if (!input) co_return base::Result<>{};
    runtimes::ExecOutput output;
    if (input->data) output.out = *input->data;
    if (input->resize) output.error = "resized";
    if (input->end) output.exit_code = 7;
    CO_RETURN_IF_ERROR(co_await end->send(std::move(output)));
    if (input->end) co_return base::Result<>{};
  }
}

base::Co<> say_and_end(std::shared_ptr<ProcessEnd> end, int code) {
  runtimes::ExecOutput said;
  said.out = "said\n";
  CO_RETURN_IF_ERROR(co_await end->send(std::move(said)));
  runtimes::ExecOutput ended;
  ended.exit_code = code;
  co_return co_await end->send(std::move(ended));
}

}  // namespace

base::Co<std::unique_ptr<base::Stream<runtimes::ExecOutput, runtimes::ExecInput>>> TestRuntime::exec(
    std::string, runtimes::ExecConfig config) {
  if (exec_error) co_return std::unexpected(*exec_error);
  execs.push_back(std::move(config));
  auto code = exec_code;
  if (const auto found = exec_codes.find(execs.back().arguments.at(0)); found != exec_codes.end()) code = found->second;
  auto [mine, theirs] = base::make_pipe<runtimes::ExecOutput, runtimes::ExecInput>(group.executor(), 4);
  group.spawn("exec", code ? say_and_end(std::move(theirs), *code) : echo(std::move(theirs)));
  co_return std::move(mine);
}

base::Co<std::unique_ptr<base::Stream<runtimes::ExecOutput, runtimes::ExecInput>>> TestRuntime::attach(
    std::string, runtimes::AttachConfig config) {
  attachments.push_back(config);
  auto [mine, theirs] = base::make_pipe<runtimes::ExecOutput, runtimes::ExecInput>(group.executor(), 4);
  group.spawn("attach", echo(std::move(theirs)));
  co_return std::move(mine);
}

void TestImages::add(const std::string& reference, images::ImageConfig config) {
  records[reference] = {.reference = reference,
                        .digest = "sha256:" + reference,
                        .architecture = "amd64",
                        .layers = {"/layers/" + reference},
                        .config = std::move(config)};
}

base::Co<images::ImageRecord> TestImages::ensure(std::string reference) {
  ++ensured;
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (const auto found = errors.find(reference); found != errors.end()) co_return std::unexpected(found->second);
  if (!records.contains(reference)) add(reference);
  co_return records.at(reference);
}

base::Co<std::optional<images::ImageRecord>> TestImages::find(std::string reference) {
  const auto found = records.find(reference);
  if (found == records.end()) co_return std::optional<images::ImageRecord>();
  co_return std::optional(found->second);
}

base::Co<> TestImages::push(std::string reference, std::string destination, bool plain_http) {
  if (!plain_http) co_return base::fail(base::Code::kUnavailable, destination + " does not answer");
  co_return records.contains(reference) ? base::Result<>{} : base::fail(base::Code::kNotFound, "no such image");
}

base::Co<images::ImageRecord> TestImages::import(std::string name, std::shared_ptr<images::ByteSource> archive) {
  uploaded.clear();
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await archive->read());
    if (!piece) break;
    if (*piece == "rubbish") co_return base::fail(base::Code::kInvalidArgument, "this is no archive");
    uploaded += *piece;
  }
  add(name);
  co_return records.at(name);
}

namespace {

// "one ", "two", the end.
class TwoPieces final : public images::ByteSource {
 public:
  base::Co<std::optional<std::string>> read() override {
    ++reads_;
    if (reads_ > 2) co_return std::nullopt;
    co_return std::optional<std::string>(reads_ == 1 ? "one " : "two");
  }

 private:
  int reads_ = 0;
};

}  // namespace

base::Co<std::shared_ptr<images::ByteSource>> TestImages::export_image(std::string reference) {
  if (!records.contains(reference)) co_return base::fail(base::Code::kNotFound, "no such image");
  std::shared_ptr<images::ByteSource> archive = std::make_shared<TwoPieces>();
  co_return archive;
}

base::Co<std::vector<images::ImageRecord>> TestImages::list() {
  std::vector<images::ImageRecord> result;
  for (const auto& [reference, record] : records) result.push_back(record);
  co_return result;
}

base::Co<images::ImageRecord> TestImages::tag(std::string reference, std::string name) {
  auto record = records.at(reference);
  record.reference = name;
  co_return records[name] = record;
}

base::Co<> TestImages::remove(std::string reference) {
  records.erase(reference);
  co_return base::Result<>{};
}

base::Co<images::Images::Pruned> TestImages::prune() {
  Pruned pruned;
  for (const auto& [reference, record] : records) pruned.references.push_back(reference);
  pruned.freed_bytes = 42;
  records.clear();
  co_return pruned;
}

base::Co<> TestNetworks::ensure_network(networks::NetworkConfig config) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (ensure_error) co_return std::unexpected(*ensure_error);
  const std::string uid = config.uid;
  made[uid] = std::move(config);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::remove_network(std::string uid) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (remove_error) co_return std::unexpected(*remove_error);
  made.erase(uid);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::set_remotes(std::string network_uid, std::vector<networks::Remote> others) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (others_error) co_return std::unexpected(*others_error);
  if (!address.empty()) remotes[network_uid] = std::move(others);
  co_return base::Result<>{};
}

std::filesystem::path TestNetworks::namespace_path(const std::string& task_uid) const {
  return "/netns/" + task_uid;
}

base::Co<> TestNetworks::attach(networks::TaskNetwork task) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  if (attach_error) co_return std::unexpected(*attach_error);
  for (const auto& attachment : task.attachments) {
    if (!made.contains(attachment.network_uid))
      co_return base::fail(base::Code::kFailedPrecondition, "the network isn't set up");
  }
  const std::string uid = task.task_uid;
  attached[uid] = std::move(task);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::publish(std::string task_uid) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  published.insert(task_uid);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::unpublish(std::string task_uid) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  published.erase(task_uid);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::detach(std::string task_uid) {
  CO_RETURN_IF_ERROR(co_await next_turn());
  attached.erase(task_uid);
  published.erase(task_uid);
  co_return base::Result<>{};
}

base::Co<> TestNetworks::sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) {
  const std::set<std::string> networks(network_uids.begin(), network_uids.end());
  const std::set<std::string> tasks(task_uids.begin(), task_uids.end());
  std::erase_if(made, [&](const auto& entry) { return !networks.contains(entry.first); });
  std::erase_if(attached, [&](const auto& entry) { return !tasks.contains(entry.first); });
  co_return base::Result<>{};
}

base::Co<> TestNetworks::remove_all() {
  made.clear();
  attached.clear();
  co_return base::Result<>{};
}

base::Co<> TestNetworks::set_resolver_port(std::uint16_t port) {
  resolver_port = port;
  co_return base::Result<>{};
}

base::Co<std::filesystem::path> TestVolumes::ensure(std::string uid) {
  made.insert(uid);
  std::filesystem::path path = "/volumes/" + uid;
  co_return path;
}

base::Co<> TestVolumes::remove(std::string uid) {
  made.erase(uid);
  co_return base::Result<>{};
}

base::Co<std::vector<std::string>> TestVolumes::list() {
  co_return std::vector<std::string>(made.begin(), made.end());
}

}  // namespace orchion::node::agent
