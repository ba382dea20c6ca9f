#pragma once

// The machine's parts in memory, for this folder's tests. They outlive agents, as the machine does. Their operations
// suspend, so that tests can end an agent in the middle of any.

#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "mesh/ingress/ingress.h"
#include "node/agent/change_signal.h"
#include "node/agent/resolver.h"
#include "node/images/images.h"
#include "node/networks/networks.h"
#include "node/runtimes/runtime.h"
#include "node/volumes/volumes.h"

namespace orchion::node::agent {

// A turn of the event loop.
base::Co<> next_turn();

class TestRuntime final : public runtimes::Runtime {
 public:
  TestRuntime(base::Executor executor, base::Clock& clock)
      : group(executor), clock_(clock), changed_(std::move(executor)) {}

  struct Container {
    runtimes::ContainerConfig config;
    runtimes::ContainerInfo info;
    std::vector<int> signals;
  };
  std::map<std::string, Container> containers;
  std::vector<std::string> operations;              // "start a 1", in order
  std::map<std::string, base::Error> start_errors;  // by id; each is used up
  std::optional<base::Error> list_error;            // while it stands here
  std::set<std::string> stubborn;                   // ignore all but SIGKILL
  std::vector<runtimes::ExecConfig> execs;
  std::optional<base::Error> exec_error;  // of every exec
  std::vector<runtimes::AttachConfig> attachments;
  std::optional<int> exec_code;           // every exec says "said" and ends with it at once
  std::map<std::string, int> exec_codes;  // the same of those whose first argument this is
  std::filesystem::path logs;
  std::map<std::string, std::string> files;       // what containers leave, by path
  std::map<std::string, std::int64_t> real_pids;  // by id; of others they are made up
  int starting_max = 0;                           // at the same time
  base::TaskGroup group;                          // processes of exec()

  void end(const std::string& id, int code, bool oom_killed = false);
  bool is_running(const std::string& id) const;
  std::int64_t pid(const std::string& id) const;
  void reboot() { containers.clear(); }
  std::size_t count(const std::string& operation) const;

  runtimes::Capabilities capabilities() const override { return {.name = "test", .survives_agent = true}; }
  base::Co<> prepare(runtimes::ContainerConfig config) override;
  base::Co<runtimes::ContainerInfo> start(std::string id, std::uint32_t attempt) override;
  base::Co<runtimes::ExitStatus> wait(std::string id) override;
  base::Co<> signal(std::string id, int number) override;
  base::Co<> remove(std::string id, bool keep_logs) override;
  base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) override;
  base::Co<std::optional<runtimes::ContainerInfo>> inspect(std::string id) override;
  base::Co<std::vector<runtimes::ContainerInfo>> list() override;
  // Where there is no exec_code: echoes its input; ends with 7 when that ends.
  base::Co<std::unique_ptr<base::Stream<runtimes::ExecOutput, runtimes::ExecInput>>> exec(
      std::string id, runtimes::ExecConfig config) override;
  // The same, told apart by what was wanted.
  base::Co<std::unique_ptr<base::Stream<runtimes::ExecOutput, runtimes::ExecInput>>> attach(
      std::string id, runtimes::AttachConfig config) override;
  std::filesystem::path log_folder(const std::string& id) const override { return logs / id; }

 private:
  base::Clock& clock_;
  ChangeSignal changed_;
  int starting_ = 0;
  std::int64_t pids_ = 1000;
};

class TestImages final : public images::Images {
 public:
  std::map<std::string, images::ImageRecord> records;  // by reference
  std::map<std::string, base::Error> errors;           // of ensure(), by reference, while they stand here
  std::vector<std::string> used;
  std::string uploaded;  // by the last import
  int ensured = 0;
  images::PullBoard board;

  void add(const std::string& reference, images::ImageConfig config = {.command = {"/bin/true"}});

  base::Co<images::ImageRecord> ensure(std::string reference) override;
  base::Co<std::optional<images::ImageRecord>> find(std::string reference) override;
  base::Co<images::ImageRecord> pull(std::string reference) override { return ensure(std::move(reference)); }
  base::Co<> push(std::string reference, std::string destination, bool plain_http) override;
  base::Co<images::ImageRecord> import(std::string name, std::shared_ptr<images::ByteSource> archive) override;
  base::Co<std::shared_ptr<images::ByteSource>> export_image(std::string reference) override;
  base::Co<std::shared_ptr<images::ByteSource>> save(std::string reference) override {
    return export_image(std::move(reference));
  }
  base::Co<images::ImageRecord> tag(std::string reference, std::string name) override;
  base::Co<std::vector<images::ImageRecord>> list() override;
  base::Co<> remove(std::string reference) override;
  base::Co<Pruned> prune() override;
  void set_used(std::vector<std::string> references) override { used = std::move(references); }
  images::PullBoard& pull_board() override { return board; }
};

class TestNetworks final : public networks::Networks {
 public:
  std::map<std::string, networks::NetworkConfig> made;
  std::map<std::string, networks::TaskNetwork> attached;
  std::map<std::string, std::filesystem::path> attached_at;
  std::map<std::string, std::vector<networks::Remote>> remotes;
  std::set<std::string> published;
  std::optional<base::Error> attach_error;  // each while it stands here
  std::optional<base::Error> ensure_error;
  std::optional<base::Error> remove_error;
  std::optional<base::Error> others_error;  // of all that is about other machines
  std::uint16_t resolver_port = 0;
  std::vector<networks::DistantPort> distant_ports;
  std::vector<networks::VirtualAddress> virtual_addresses;
  std::function<base::Co<>()> delay_of_virtual_addresses;  // what set_virtual_addresses() takes, where it is set
  networks::Policies policies;
  std::string address;
  networks::Machines machines;

  base::Co<> ensure_network(networks::NetworkConfig config) override;
  base::Co<> remove_network(std::string uid) override;
  base::Co<> set_remotes(std::string network_uid, std::vector<networks::Remote> remotes) override;
  std::filesystem::path namespace_path(const std::string& task_uid) const override;
  base::Co<> attach(networks::TaskNetwork task) override;
  base::Co<> attach_at(networks::TaskNetwork task, std::filesystem::path path) override {
    attached_at[task.task_uid] = std::move(path);
    return attach(std::move(task));
  }
  base::Co<> publish(std::string task_uid) override;
  base::Co<> unpublish(std::string task_uid) override;
  base::Co<> set_address(std::string known_as, std::string) override {
    address = std::move(known_as);
    co_return base::Result<>{};
  }
  base::Co<> set_machines(networks::Machines known) override {
    if (others_error) co_return std::unexpected(*others_error);
    machines = std::move(known);
    co_return base::Result<>{};
  }
  base::Co<> set_virtual_addresses(std::vector<networks::VirtualAddress> addresses) override {
    if (delay_of_virtual_addresses) CO_RETURN_IF_ERROR(co_await delay_of_virtual_addresses());
    virtual_addresses = std::move(addresses);
    co_return base::Result<>{};
  }
  base::Co<> set_policies(networks::Policies wanted) override {
    policies = std::move(wanted);
    co_return base::Result<>{};
  }
  base::Co<> set_distant_ports(std::vector<networks::DistantPort> ports) override {
    distant_ports = std::move(ports);
    co_return base::Result<>{};
  }
  base::Co<> detach(std::string task_uid) override;
  base::Co<> sweep(std::vector<std::string> network_uids, std::vector<std::string> task_uids) override;
  base::Co<> remove_all() override;
  base::Co<> set_resolver_port(std::uint16_t port) override;
};

class TestVolumes final : public volumes::Volumes {
 public:
  std::set<std::string> made;

  base::Co<std::filesystem::path> ensure(std::string uid) override;
  base::Co<> remove(std::string uid) override;
  base::Co<std::vector<std::string>> list() override;
};

class TestIngress final : public mesh::ingress::Ingress {
 public:
  int applied = 0;
  bool up = false;
  bool all_done = true;
  std::optional<base::Error> error;  // while it stands here
  std::vector<mesh::ingress::RoutedService> now;

  base::Co<bool> apply(std::vector<mesh::ingress::RoutedService> services) override {
    ++applied;
    now = std::move(services);
    if (error) co_return std::unexpected(*error);
    up = true;
    co_return all_done;
  }
  base::Co<bool> is_up() override { co_return up; }
  v1::IngressInfo info() const override { return {}; }
};

class TestResolver final : public Resolver {
 public:
  std::set<std::string> addresses;

  base::Co<> add_address(std::string address) override {
    addresses.insert(std::move(address));
    co_return base::Result<>{};
  }
  void remove_address(const std::string& address) override { addresses.erase(address); }
  std::uint16_t port() const override { return 5355; }
};

}  // namespace orchion::node::agent
