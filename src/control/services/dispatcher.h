#pragma once

// The control plane's end of every agent's session.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/channel.h"
#include "control/services/context.h"
#include "control/services/feed_index.h"
#include "control/services/node_streams.h"
#include "control/services/route_feed.h"
#include "core/methods.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

constexpr std::uint32_t kProtocolVersion = 1;

struct DispatcherOptions {
  std::string cluster_id;
  std::uint32_t heartbeat_seconds = 5;
  std::uint32_t lease_seconds = 30;  // no node is declared lost after a shorter silence

  // Told of each sign of life and of orderly leaving; not stored. The node controller decides what silence means.
  std::function<void(const std::string& node_uid)> heard;
  std::function<void(const std::string& node_uid)> left;

  CertificateFor certificate_for = {};  // of HTTP routes; see there

  // "HOST:PORT" where nodes reach the cluster's servers: told to each that connects. Unset: this one alone.
  std::function<std::vector<std::string>()> servers = {};
};

using SessionStream = core::TypedStream<v1::FromAgent, v1::ToAgent>;

// Serves sessions: registers nodes, tells them their assignments, writes what they report. Statuses count only from a
// node's newest session. One executor.
class Dispatcher {
 public:
  Dispatcher(ServiceContext context, NodeStreams& streams, DispatcherOptions options);
  ~Dispatcher();

  // Writes what the agents report, until it is cancelled. Exactly one runs.
  base::Co<> run();

  // Tells nodes of certificates that were renewed, until it is cancelled. Exactly one runs.
  base::Co<> renew_certificates();

  // DispatcherService.Session: runs until the agent goes away. A node known by its certificate is that one, or nobody.
  base::Co<> serve(core::CallContext call, SessionStream stream);

  // The session of a node that was removed is ended with this error.
  void disconnect(const std::string& node_uid, base::Error error);

 private:
  struct Session;
  struct PendingReport {
    std::uint64_t session = 0;
    std::string node_uid;
    v1::TaskReport report;
  };

  void tell_changes(const store::ObjectStore::Commit& commit);
  base::Co<> register_node(v1::Hello hello, bool may_be_new, std::shared_ptr<Session> session);
  base::Result<std::string> choose_host_address() const;
  base::Co<> send_loop(std::shared_ptr<Session> session, SessionStream stream);
  base::Co<> receive_loop(std::shared_ptr<Session> session, SessionStream stream);
  base::Co<> handle_loop(std::shared_ptr<Session> session);
  base::Co<> handle(std::shared_ptr<Session> session, v1::FromAgent message);
  base::Co<> store_capabilities(std::shared_ptr<Session> session, v1::NodeCapabilities capabilities);
  bool all_of_mesh_listen() const;
  bool may_tell_key() const;
  base::Co<> tell_mesh(std::shared_ptr<Session> session);
  base::Co<> store_mesh(std::shared_ptr<Session> session, v1::NodeMesh mesh);
  base::Co<> finish_volume(std::shared_ptr<Session> session, std::string uid);
  base::Co<> finish_network(std::shared_ptr<Session> session, std::string uid);
  base::Co<> store_images(std::shared_ptr<Session> session, v1::NodeImages images);

  void queue_report(const Session& session, v1::TaskReport report);
  std::vector<PendingReport> take_reports();
  void put_back(PendingReport pending);
  base::Co<> write_reports();
  std::vector<v1::Network> unnoted_networks(const std::vector<PendingReport>& batch) const;
  base::Co<> note_networks(const std::vector<PendingReport>* batch);
  base::Co<std::size_t> write_batch(const std::vector<PendingReport>* batch);
  void add_events(store::Transaction& transaction, const v1::Task& task, const v1::TaskStatus& now);
  void add_report(store::Transaction& transaction, const PendingReport& pending, std::vector<std::string>& forget);
  bool is_newest(const std::string& node_uid, std::uint64_t session) const;
  void tell_forget(const std::string& node_uid, const std::string& task_uid);

  ServiceContext context_;
  NodeStreams& streams_;
  DispatcherOptions options_;
  std::map<std::string, std::shared_ptr<Session>> newest_;      // by node uid
  std::map<std::uint64_t, std::shared_ptr<Session>> followed_;  // by number: those that are told of changes
  FeedIndex feeds_;
  std::uint64_t sessions_ = 0;
  std::set<std::string> promised_addresses_;  // host addresses that aren't stored yet
  // The newest of each task, by its uid; `waiting_` has those that may be written now in the order in which they came,
  // `being_written_` those whose older word is on its way.
  std::unordered_map<std::string, PendingReport> reports_;
  std::deque<std::string> waiting_;
  std::unordered_set<std::string> being_written_;
  base::Notifier reports_changed_;
  std::optional<base::Time> key_told_;  // of the mesh, the newest of any node
  bool noting_networks_ = false;
  base::Notifier networks_noted_;
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::control::services
