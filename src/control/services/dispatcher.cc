#include "control/services/dispatcher.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/log.h"
#include "control/auth/permissions.h"
#include "control/services/assignments.h"
#include "control/services/image_holders.h"
#include "control/services/node_names.h"
#include "control/services/task_events.h"
#include "control/store/transaction_rules.h"
#include "core/events.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/node_addresses.h"
#include "core/node_mesh.h"
#include "core/task_changes.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

// A session that doesn't take its messages is cut off; the agent comes back and gets the full set.
constexpr std::size_t kOutgoingMax = 4096;

// What came and isn't handled yet. Then the agent waits, and its signs of life with it.
constexpr std::size_t kIncomingMax = 1024;

// Statuses, finalizers and the events of one task are at most so many operations.
constexpr std::size_t kOperationsPerReport = 6;

// More is rather in the next: a task's status may have some KiB.
constexpr std::size_t kReportBytesMax = store::kTransactionBytesMax / 2;

// So many transactions of reports are on their way at once: the store shares the fsync among them.
constexpr int kReportWriters = 4;

constexpr int kConflictsMax = 20;

// Every conflict means that another node's list was stored.
constexpr int kImageTries = 50;

// A node whose agent is away this long hears of new keys when it is back, and is reached again then. Less than agents
// wait for their answer.
constexpr auto kKeyHeldMax = std::chrono::minutes(5);

constexpr auto kRetryDelay = std::chrono::seconds(1);

// Certificates are renewed weeks before they end.
constexpr auto kRenewalLook = std::chrono::hours(1);

// The last finalizer taken away removes the object.
template <class T>
store::Transaction without_finalizer(T object, const std::string& finalizer) {
  core::remove_finalizer(*object.mutable_meta(), finalizer);
  store::Transaction transaction;
  if (core::is_ready_to_go(object.meta())) {
    store::remove(transaction, object);
  } else {
    store::put_spec(transaction, object);
  }
  return transaction;
}

}  // namespace

struct Dispatcher::Session {
  Session(base::Executor executor, std::uint64_t session)
      : number(session), incoming(executor, kIncomingMax), outgoing(executor, kOutgoingMax), never(executor) {}
  std::uint64_t number;
  std::string node_uid;
  std::string node_name;
  base::Channel<v1::FromAgent> incoming;
  std::string host_address;
  std::string mesh_address;
  std::optional<v1::NodeMesh> held_mesh;  // with a new key, which somebody who has to know it can't be told now
  base::Time held_since;
  base::Channel<v1::ToAgent> outgoing;
  base::Notifier never;  // who waits for it waits for the session's end
  std::unique_ptr<AssignmentFeed> feed;

  // What can't be queued would be lost: the session ends instead, and the next one begins with the full set.
  bool offer(v1::ToAgent message) {
    if (outgoing.try_send(std::move(message))) return true;
    outgoing.close(base::Error{base::Code::kResourceExhausted, "the agent did not take its messages", {}});
    return false;
  }
};

Dispatcher::Dispatcher(ServiceContext context, NodeStreams& streams, DispatcherOptions options)
    : context_(context),
      streams_(streams),
      options_(std::move(options)),
      reports_changed_(context.executor),
      networks_noted_(context.executor) {
  subscription_ = context_.objects.subscribe([this](const auto& commit) { tell_changes(*commit); });
}

Dispatcher::~Dispatcher() = default;

base::Co<> Dispatcher::serve(core::CallContext call, SessionStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (!first || !first->has_hello())
    co_return base::fail(base::Code::kInvalidArgument, "a session must begin with a hello");
  if (first->hello().protocol() != kProtocolVersion)
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("the agent speaks protocol {}, this server {}: install the same version of "
                                     "orchion on both",
                                     first->hello().protocol(), kProtocolVersion));
  CO_RETURN_IF_ERROR(auth::may_speak_for(call.identity, first->hello().node_uid()));
  auto session = std::make_shared<Session>(context_.executor, ++sessions_);
  CO_RETURN_IF_ERROR(co_await register_node(first->hello(), !auth::is_node(call.identity), session));

  // However the session ends: nobody talks to it any more.
  struct Closing {
    Dispatcher& dispatcher;
    std::shared_ptr<Session> session;
    ~Closing() {
      dispatcher.followed_.erase(session->number);
      dispatcher.feeds_.erase(session->number);
      dispatcher.streams_.session_closed(session->node_uid, session->number);
      const auto it = dispatcher.newest_.find(session->node_uid);
      if (it != dispatcher.newest_.end() && it->second == session) dispatcher.newest_.erase(it);
    }
  } closing{*this, session};

  // The end of one is the session's end; the others are cancelled.
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (send_loop(session, stream) || receive_loop(session, stream) || handle_loop(session));
  co_return std::visit([](const auto& result) -> base::Result<> { return result; }, ended);
}

namespace {

constexpr char kNotInMesh[] =
    "other nodes have --mesh and this one hasn't: what it and they say to each other isn't encrypted; start its agent "
    "with --mesh";

bool has_mesh(const store::View& view) {
  return std::ranges::any_of(view.nodes().all(), [](const auto& entry) { return entry.second->status().has_mesh(); });
}

// The address within is not the node's to say.
void set_mesh(const v1::NodeMesh& said, v1::NodeStatus& status) {
  *status.mutable_mesh() = said;
  if (const auto host = core::parse_ipv4(status.host_address()))
    status.mutable_mesh()->set_address(core::format_ipv4(core::tunnel_address(*host)));
}

// While it lives nobody else is given this address.
class Promise {
 public:
  Promise(std::set<std::string>& promised, std::string address) : promised_(promised), address_(std::move(address)) {
    promised_.insert(address_);
  }
  ~Promise() { promised_.erase(address_); }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

 private:
  std::set<std::string>& promised_;
  const std::string address_;
};

}  // namespace

base::Result<std::string> Dispatcher::choose_host_address() const {
  std::set<std::uint32_t> taken;
  const auto take = [&](const std::string& text) {
    if (const auto address = core::parse_ipv4(text)) taken.insert(*address);
  };
  for (const auto& [name, node] : context_.objects.view().nodes().all()) take(node->status().host_address());
  for (const auto& promised : promised_addresses_) take(promised);
  ASSIGN_OR_RETURN(const auto address, core::free_host_address(taken));
  return core::format_ipv4(address);
}

base::Co<> Dispatcher::register_node(v1::Hello hello, bool may_be_new, std::shared_ptr<Session> session) {
  for (int attempt = 0;; ++attempt) {
    const auto known = context_.objects.view().nodes().find_uid(hello.node_uid());
    if (known && options_.heard) options_.heard(hello.node_uid());
    v1::Node node;
    if (known) node = *known;
    if (!known && !may_be_new) co_return base::fail(base::Code::kNotFound, "this node was removed from the cluster");
    store::Transaction transaction;
    const auto now = core::to_timestamp(context_.clock.wall());
    if (!known) {
      node.mutable_meta()->set_name(free_node_name(context_.objects.view(), hello.hostname()));
      node.mutable_meta()->set_uid(hello.node_uid().empty() ? base::new_uid(context_.random) : hello.node_uid());
      node.mutable_meta()->set_generation(1);
      *node.mutable_meta()->mutable_created_at() = now;
      *node.mutable_spec()->mutable_labels() = hello.labels();
      store::create(transaction, node);
    }
    if (node.status().state() != v1::NodeStatus::READY) *node.mutable_status()->mutable_since() = now;
    node.mutable_status()->set_state(v1::NodeStatus::READY);
    node.mutable_status()->clear_message();
    *node.mutable_status()->mutable_capabilities() = hello.capabilities();
    node.mutable_status()->set_address(hello.address());
    if (node.status().host_address().empty()) {
      CO_ASSIGN_OR_RETURN(*node.mutable_status()->mutable_host_address(), choose_host_address());
    }
    const Promise promise(promised_addresses_, node.status().host_address());
    node.mutable_status()->clear_mesh();
    if (hello.has_mesh()) {
      CO_RETURN_IF_ERROR(core::check_node_mesh(hello.mesh()));
      set_mesh(hello.mesh(), *node.mutable_status());
    } else if (has_mesh(context_.objects.view())) {
      node.mutable_status()->set_message(kNotInMesh);
    }
    store::put_status(transaction, node);
    auto committed = co_await context_.objects.commit(std::move(transaction));
    if (committed) {
      session->node_uid = node.meta().uid();
      session->host_address = node.status().host_address();
      session->mesh_address = node.status().mesh().address();
      session->node_name = node.meta().name();
      break;
    }
    if (committed.error().code != base::Code::kAborted || attempt >= kConflictsMax)
      co_return std::unexpected(committed.error());
  }
  if (const auto older = newest_.find(session->node_uid); older != newest_.end())
    older->second->outgoing.close(base::Error{base::Code::kAborted, "a newer session of this node began", {}});
  newest_[session->node_uid] = session;
  if (options_.heard) options_.heard(session->node_uid);

  v1::ToAgent welcome;
  welcome.mutable_welcome()->set_node_uid(session->node_uid);
  welcome.mutable_welcome()->set_node_name(session->node_name);
  welcome.mutable_welcome()->set_session(session->number);
  welcome.mutable_welcome()->set_heartbeat_seconds(options_.heartbeat_seconds);
  if (options_.servers)
    for (auto& server : options_.servers()) welcome.mutable_welcome()->add_servers(std::move(server));
  welcome.mutable_welcome()->set_lease_seconds(options_.lease_seconds);
  welcome.mutable_welcome()->set_cluster_id(options_.cluster_id);
  welcome.mutable_welcome()->set_host_address(session->host_address);
  welcome.mutable_welcome()->set_mesh_address(session->mesh_address);
  session->offer(std::move(welcome));

  // From here on without a co_await: the full set and the deltas after it leave no gap.
  session->feed = std::make_unique<AssignmentFeed>(session->node_uid, options_.certificate_for);
  v1::ToAgent full;
  *full.mutable_assignments() = session->feed->full(context_.objects.view());
  session->offer(std::move(full));
  followed_.emplace(session->number, session);
  feeds_.put(session->number, *session->feed, context_.objects.view());
  std::weak_ptr<Session> weak = session;
  streams_.session_opened(session->node_uid, session->number, [weak](v1::ToAgent message) {
    const auto alive = weak.lock();
    return alive && alive->outgoing.try_send(std::move(message));
  });
  base::log::info("node {} joined, session {}", session->node_name, session->number);
  co_return base::Result<>{};
}

void Dispatcher::tell_changes(const store::ObjectStore::Commit& commit) {
  const auto& view = context_.objects.view();
  for (const auto number : feeds_.concerned_by(view, commit)) {
    auto& session = *followed_.at(number);
    auto delta = session.feed->delta(view, commit);
    feeds_.put(number, *session.feed, view);
    if (!delta) continue;
    v1::ToAgent message;
    *message.mutable_assignments() = *std::move(delta);
    session.offer(std::move(message));
  }
}

base::Co<> Dispatcher::send_loop(std::shared_ptr<Session> session, SessionStream stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await session->outgoing.receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(*message)));
  }
}

// A sign of life is heard, and answered, when it comes: what came before it may wait for a slow disk.
base::Co<> Dispatcher::receive_loop(std::shared_ptr<Session> session, SessionStream stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await stream.receive());
    if (!message) {
      session->incoming.close();
      co_return co_await session->never.wait();  // what came is still handled
    }
    if (session->outgoing.closed())
      co_return base::fail(base::Code::kAborted, "this session was ended by the server: connect again");
    if (options_.heard) options_.heard(session->node_uid);
    if (message->has_heartbeat()) {
      CO_RETURN_IF_ERROR(co_await tell_mesh(session));
      v1::ToAgent answer;
      answer.set_heartbeat(!session->held_mesh);
      session->offer(std::move(answer));
      if (!message->heartbeat().has_capabilities()) continue;
    }
    if (message->has_mesh()) {
      CO_RETURN_IF_ERROR(core::check_node_mesh(message->mesh()));
      if (!session->held_mesh) session->held_since = context_.clock.now();
      session->held_mesh = std::move(*message->mutable_mesh());
      CO_RETURN_IF_ERROR(co_await tell_mesh(session));
      continue;
    }
    CO_RETURN_IF_ERROR(co_await session->incoming.send(std::move(*message)));
  }
}

base::Co<> Dispatcher::handle_loop(std::shared_ptr<Session> session) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await session->incoming.receive());
    if (!message) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await handle(session, std::move(*message)));
  }
}

base::Co<> Dispatcher::handle(std::shared_ptr<Session> session, v1::FromAgent message) {
  switch (message.message_case()) {
    case v1::FromAgent::kHeartbeat: co_return co_await store_capabilities(session, message.heartbeat().capabilities());
    case v1::FromAgent::kReport:
      queue_report(*session, std::move(*message.mutable_report()));
      co_return base::Result<>{};
    case v1::FromAgent::kImages: co_return co_await store_images(session, std::move(*message.mutable_images()));
    case v1::FromAgent::kRemovedVolume: co_return co_await finish_volume(session, message.removed_volume());
    case v1::FromAgent::kRemovedNetwork: co_return co_await finish_network(session, message.removed_network());
    case v1::FromAgent::kLeaving:
      if (options_.left) options_.left(session->node_uid);
      co_return base::Result<>{};
    case v1::FromAgent::kMesh:
    case v1::FromAgent::kHello:
    case v1::FromAgent::MESSAGE_NOT_SET: break;
  }
  co_return base::fail(base::Code::kInvalidArgument, "an agent's message that this server does not know");
}

base::Co<> Dispatcher::store_capabilities(std::shared_ptr<Session> session, v1::NodeCapabilities capabilities) {
  const auto node = context_.objects.view().nodes().find_uid(session->node_uid);
  if (!node) co_return base::fail(base::Code::kNotFound, "this node was removed from the cluster");
  v1::Node changed = *node;
  *changed.mutable_status()->mutable_capabilities() = std::move(capabilities);
  store::Transaction transaction;
  store::put_status(transaction, changed);
  auto committed = co_await context_.objects.commit(std::move(transaction));
  // A conflict here is a change of the node's spec at the same moment: the next heartbeat says it again.
  if (!committed && committed.error().code != base::Code::kAborted) co_return std::unexpected(committed.error());
  co_return base::Result<>{};
}

bool Dispatcher::all_of_mesh_listen() const {
  return std::ranges::all_of(context_.objects.view().nodes().all(), [this](const auto& entry) {
    return !entry.second->status().has_mesh() || newest_.contains(entry.second->meta().uid());
  });
}

// The one that was told last is in use by the time of its node's next question, and two that come into use at once have
// nobody to begin to shake hands with until WireGuard's retry, seconds later.
bool Dispatcher::may_tell_key() const {
  const auto settled = 2 * std::chrono::seconds(options_.heartbeat_seconds);
  return all_of_mesh_listen() && (!key_told_ || context_.clock.now() - *key_told_ >= settled);
}

// A node uses its new key when this is done, and who doesn't know it by then loses it: what follows in this session is
// answered as if nobody were told before it is stored, and all others are told.
base::Co<> Dispatcher::tell_mesh(std::shared_ptr<Session> session) {
  if (!session->held_mesh) co_return base::Result<>{};
  if (!may_tell_key() && context_.clock.now() - session->held_since < kKeyHeldMax) co_return base::Result<>{};
  key_told_ = context_.clock.now();
  auto mesh = std::move(*session->held_mesh);
  session->held_mesh.reset();
  co_return co_await store_mesh(session, std::move(mesh));
}

base::Co<> Dispatcher::store_mesh(std::shared_ptr<Session> session, v1::NodeMesh mesh) {
  for (int attempt = 0;; ++attempt) {
    const auto node = context_.objects.view().nodes().find_uid(session->node_uid);
    if (!node) co_return base::fail(base::Code::kNotFound, "this node was removed from the cluster");
    v1::Node changed = *node;
    set_mesh(mesh, *changed.mutable_status());
    store::Transaction transaction;
    store::put_status(transaction, changed);
    auto committed = co_await context_.objects.commit(std::move(transaction));
    if (committed) co_return base::Result<>{};
    if (committed.error().code != base::Code::kAborted || attempt >= kConflictsMax)
      co_return std::unexpected(committed.error());
  }
}

base::Co<> Dispatcher::finish_volume(std::shared_ptr<Session> session, std::string uid) {
  for (int attempt = 0; attempt < kConflictsMax; ++attempt) {
    const auto volume = context_.objects.view().volumes().find_uid(uid);
    if (!volume || volume->status().node_uid() != session->node_uid) co_return base::Result<>{};
    auto committed = co_await context_.objects.commit(without_finalizer(*volume, core::kAgentFinalizer));
    if (committed) co_return base::Result<>{};
    if (committed.error().code != base::Code::kAborted) co_return std::unexpected(committed.error());
  }
  // Said again at the next session.
  co_return base::Result<>{};
}

// Agents say it whenever a network left them; it counts when they were asked.
base::Co<> Dispatcher::finish_network(std::shared_ptr<Session> session, std::string uid) {
  const auto finalizer = core::agent_finalizer(session->node_uid);
  for (int attempt = 0; attempt < kConflictsMax; ++attempt) {
    const auto network = context_.objects.view().networks().find_uid(uid);
    if (!network || !core::has_finalizer(network->meta(), finalizer)) co_return base::Result<>{};
    auto committed = co_await context_.objects.commit(without_finalizer(*network, finalizer));
    if (committed) co_return base::Result<>{};
    if (committed.error().code != base::Code::kAborted) co_return std::unexpected(committed.error());
  }
  // Asked again in the next session.
  co_return base::Result<>{};
}

// Another node may list the same image at this moment: who comes second looks again.
base::Co<> Dispatcher::store_images(std::shared_ptr<Session> session, v1::NodeImages images) {
  bool settled = false;
  for (int i = 0; i < kImageTries && !settled; ++i) {
    settled = true;
    for (auto& transaction :
         image_changes(context_.objects.view(), session->node_name, images, context_.random, context_.clock.wall())) {
      auto committed = co_await context_.objects.commit(std::move(transaction));
      if (committed) continue;
      if (committed.error().code != base::Code::kAborted) co_return std::unexpected(committed.error());
      settled = false;
    }
  }
  if (!settled)
    base::log::warn("the images of node {} are not all listed: its next list settles it", session->node_name);
  co_return base::Result<>{};
}

void Dispatcher::queue_report(const Session& session, v1::TaskReport report) {
  const std::string uid = report.task_uid();
  const auto [slot, is_first] = reports_.try_emplace(uid);
  auto& pending = slot->second;
  const bool was_removed = pending.report.removed() && pending.session == session.number;
  pending = PendingReport{session.number, session.node_uid, std::move(report)};
  if (was_removed) pending.report.set_removed(true);
  if (is_first && !being_written_.contains(uid)) waiting_.push_back(uid);
  reports_changed_.notify();
}

std::vector<Dispatcher::PendingReport> Dispatcher::take_reports() {
  std::vector<PendingReport> batch;
  while (!waiting_.empty() && batch.size() <= store::kOperationsMax - kOperationsPerReport) {
    auto taken = reports_.extract(waiting_.front());
    being_written_.insert(std::move(waiting_.front()));
    waiting_.pop_front();
    batch.push_back(std::move(taken.mapped()));
  }
  return batch;
}

// Unless a newer one came meanwhile.
void Dispatcher::put_back(PendingReport pending) {
  const std::string uid = pending.report.task_uid();
  reports_.try_emplace(uid, std::move(pending));
}

base::Co<> Dispatcher::run() {
  using boost::asio::experimental::awaitable_operators::operator&&;
  static_assert(kReportWriters == 4);
  const auto ended = co_await (write_reports() && write_reports() && write_reports() && write_reports());
  co_return std::get<0>(ended);
}

// What arrives while transactions commit goes into the next; of one task one word at a time is on its way.
base::Co<> Dispatcher::write_reports() {
  while (true) {
    while (waiting_.empty()) CO_RETURN_IF_ERROR(co_await reports_changed_.wait());
    auto batch = take_reports();
    const auto written = co_await write_batch(&batch);
    if (!written && written.error().code == base::Code::kCancelled) co_return std::unexpected(written.error());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::string uid = batch[i].report.task_uid();
      being_written_.erase(uid);
      if (!written || i >= *written) put_back(std::move(batch[i]));
      if (reports_.contains(uid)) waiting_.push_back(uid);
    }
    if (!waiting_.empty()) reports_changed_.notify();
    if (written) continue;
    base::log::error("cannot store what the agents report, trying again: {}", written.error().message);
    CO_RETURN_IF_ERROR(co_await context_.clock.sleep(kRetryDelay));
  }
}

base::Co<> Dispatcher::renew_certificates() {
  while (true) {
    CO_RETURN_IF_ERROR(co_await context_.clock.sleep(kRenewalLook));
    for (const auto& [uid, session] : newest_) {
      auto renewed = session->feed ? session->feed->renew(context_.objects.view()) : std::nullopt;
      if (!renewed) continue;
      feeds_.put(session->number, *session->feed, context_.objects.view());
      v1::ToAgent message;
      *message.mutable_assignments() = *std::move(renewed);
      session->offer(std::move(message));
    }
  }
}

// Networks that don't know yet on which node they will have to be taken down, as they should be.
std::vector<v1::Network> Dispatcher::unnoted_networks(const std::vector<PendingReport>& batch) const {
  std::map<std::string, v1::Network> changed;  // by uid
  for (const auto& pending : batch) {
    const auto task = context_.objects.view().tasks().find_uid(pending.report.task_uid());
    if (!task || task->spec().assignment().node_uid() != pending.node_uid) continue;
    for (const auto& address : task->spec().assignment().addresses()) {
      const auto network = context_.objects.view().networks().find_uid(address.network_uid());
      if (!network) continue;
      const auto known = changed.find(address.network_uid());
      const auto& nodes = (known == changed.end() ? *network : known->second).status().node_uids();
      if (std::find(nodes.begin(), nodes.end(), pending.node_uid) != nodes.end()) continue;
      changed.try_emplace(address.network_uid(), *network)
          .first->second.mutable_status()
          ->add_node_uids(pending.node_uid);
    }
  }
  std::vector<v1::Network> all;
  for (auto& [uid, network] : changed) all.push_back(std::move(network));
  return all;
}

// Before the first word about a task is stored, its networks know where they are. One batch at a time: each writes
// whole lists.
base::Co<> Dispatcher::note_networks(const std::vector<PendingReport>* batch) {
  if (unnoted_networks(*batch).empty()) co_return base::Result<>{};
  while (noting_networks_) CO_RETURN_IF_ERROR(co_await networks_noted_.wait());
  struct Turn {
    Dispatcher& dispatcher;
    explicit Turn(Dispatcher& whose) : dispatcher(whose) { dispatcher.noting_networks_ = true; }
    ~Turn() {
      dispatcher.noting_networks_ = false;
      dispatcher.networks_noted_.notify();
    }
  } turn(*this);
  store::Transaction transaction;
  for (const auto& network : unnoted_networks(*batch)) {
    store::put_status(transaction, network);
    if (transaction.operations.size() < store::kOperationsMax) continue;
    auto full = std::move(transaction);
    transaction = store::Transaction();
    CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(full)));
  }
  if (!transaction.operations.empty()) CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  co_return base::Result<>{};
}

// How many of them were written, from the first on: what a transaction holds. `reports` outlives the call.
base::Co<std::size_t> Dispatcher::write_batch(const std::vector<PendingReport>* reports) {
  const auto& batch = *reports;
  for (int attempt = 0;; ++attempt) {
    auto noted = co_await note_networks(reports);
    if (!noted && (noted.error().code != base::Code::kAborted || attempt >= kConflictsMax))
      co_return std::unexpected(noted.error());
    if (!noted) continue;
    store::Transaction transaction;
    std::vector<std::string> forget;
    std::size_t written = 0;
    while (written < batch.size() && transaction.operations.size() + kOperationsPerReport <= store::kOperationsMax &&
           store::transaction_bytes(transaction) < kReportBytesMax)
      add_report(transaction, batch[written++], forget);
    auto committed = base::Result<store::Revision>(0);
    if (!transaction.operations.empty()) committed = co_await context_.objects.commit(std::move(transaction));
    if (committed) {
      for (std::size_t i = 0; i < written; ++i) {
        const auto& report = batch[i].report;
        if (std::find(forget.begin(), forget.end(), report.task_uid()) != forget.end())
          tell_forget(batch[i].node_uid, report.task_uid());
      }
      co_return written;
    }
    // A controller wrote one of these tasks meanwhile; its commit is in the view now.
    if (committed.error().code != base::Code::kAborted || attempt >= kConflictsMax)
      co_return std::unexpected(committed.error());
  }
}

void Dispatcher::add_report(store::Transaction& transaction, const PendingReport& pending,
                            std::vector<std::string>& forget) {
  if (!is_newest(pending.node_uid, pending.session)) return;
  const auto task = context_.objects.view().tasks().find_uid(pending.report.task_uid());
  if (!task || task->spec().assignment().node_uid() != pending.node_uid) {
    // Nobody knows it any more: what the agent removed it may forget.
    if (pending.report.removed()) forget.push_back(pending.report.task_uid());
    return;
  }
  const auto& status = pending.report.has_status() ? pending.report.status() : task->status();
  add_events(transaction, *task, status);
  if (!pending.report.removed()) {
    v1::Task reported;  // no more of it than is written
    *reported.mutable_meta() = task->meta();
    *reported.mutable_status() = status;
    store::put_status(transaction, reported);
    return;
  }
  v1::Task changed = *task;
  *changed.mutable_status() = status;
  forget.push_back(pending.report.task_uid());
  core::remove_finalizer(*changed.mutable_meta(), core::kAgentFinalizer);
  if (core::is_ready_to_go(changed.meta())) {
    const core::Decision removal{"Removed", "nothing of it is left there",
                                 "agent " + changed.spec().assignment().node()};
    store::create(transaction, core::make_task_record(changed, removal, context_.clock.wall()));
    store::remove(transaction, changed);
    return;
  }
  store::put_spec(transaction, changed);
  if (pending.report.has_status() && core::is_terminal(changed.status().state()))
    store::put_status(transaction, changed);
}

void Dispatcher::add_events(store::Transaction& transaction, const v1::Task& task, const v1::TaskStatus& now) {
  if (!is_eventful(task.status(), now)) return;
  const auto revision = context_.objects.view().template_of(task);
  v1::Task after = task;
  *after.mutable_status() = now;
  for (auto& draft : task_events(task, after, revision ? revision->spec().template_() : v1::ServiceSpec()))
    store::create(transaction, core::make_event(draft, context_.clock.wall(), context_.random));
}

bool Dispatcher::is_newest(const std::string& node_uid, std::uint64_t session) const {
  const auto it = newest_.find(node_uid);
  return it != newest_.end() && it->second->number == session;
}

void Dispatcher::tell_forget(const std::string& node_uid, const std::string& task_uid) {
  const auto it = newest_.find(node_uid);
  if (it == newest_.end()) return;
  v1::ToAgent message;
  message.set_forget_task(task_uid);
  it->second->offer(std::move(message));
}

void Dispatcher::disconnect(const std::string& node_uid, base::Error error) {
  const auto it = newest_.find(node_uid);
  if (it != newest_.end()) it->second->outgoing.close(std::move(error));
}

}  // namespace orchion::control::services
