#pragma once

// Follows the events of the store and tells of them what each channel wants.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/worker_pool.h"
#include "control/controllers/reconcile_loop.h"
#include "control/notify/outbound.h"
#include "control/notify/planner.h"
#include "control/store/object_store.h"
#include "v1/channels.pb.h"

namespace orchion::control::notify {

// Waits before the second and each further attempt; then a message is given up, and an event says so.
inline constexpr std::chrono::seconds kRetries[] = {
    std::chrono::seconds(5), std::chrono::minutes(5), std::chrono::minutes(30),
    std::chrono::hours(2),   std::chrono::hours(5),   std::chrono::hours(10),
};

// A channel with more messages on their way than this gets no further ones; they count as failed.
inline constexpr std::size_t kPendingMax = 1000;

// One step at a time for each channel: look at the new events and write the deliveries that follow, with what is
// remembered, in one transaction; then send the delivery that is due. So a restart neither loses an event nor makes a
// second delivery of it; one that was on its way goes out again under the same id. One executor, the control loop.
class ChannelController {
 public:
  // What is given outlives it.
  ChannelController(base::Executor executor, store::ObjectStore& objects, base::Clock& clock, base::Random random,
                    Outbound& outbound);

  // When `objects` has started.
  base::Co<> start();

  // Stops `outbound`. Before `objects` is shut down; the destructor may run when it has returned.
  base::Co<> shutdown();

  // Sends a message of no event once, at once; errors as Outbound::send().
  base::Co<> send_test(v1::Channel channel);

 private:
  using EventPointer = std::shared_ptr<const v1::Event>;

  struct Followed {
    std::string name;
    v1::ChannelMemory memory;
    store::Revision stored = 0;  // the revision of the memory's entry; 0: there is none
    store::Revision looked = 0;  // up to which events were looked at; may be ahead of memory.seen()
    bool awaits_recovery() const;
  };

  base::Co<std::optional<base::Time>> step(controllers::Key key);
  base::Co<std::optional<base::WallTime>> follow(std::shared_ptr<const v1::Channel> channel);
  base::Co<std::optional<base::WallTime>> deliver(std::shared_ptr<const v1::Channel> channel);
  base::Co<> note_result(std::string channel, std::shared_ptr<const v1::Delivery> delivery, base::Result<> sent);
  base::Co<> forget(std::string name);
  base::Co<> send(OutboundMessage message);

  void on_commit(const store::ObjectStore::Commit& commit);
  void enqueue(const std::string& channel) { loop_.enqueue({"Channel", {"", channel}}); }
  Followed& followed(const v1::Channel& channel);
  std::vector<EventPointer> events_after(store::Revision looked) const;
  void drop_looked_at();
  std::size_t pending(const std::string& channel_uid) const;
  std::optional<bool> is_good(const std::string& about) const;
  std::string new_id();

  const store::View& view() const { return objects_.view(); }

  store::ObjectStore& objects_;
  base::Clock& clock_;
  base::Random random_;
  Outbound& outbound_;
  controllers::ReconcileLoop loop_;
  std::unique_ptr<base::WorkerPool> senders_;  // when the first message is sent
  std::map<std::string, Followed> followed_;   // by the channel's uid
  std::deque<EventPointer> events_;            // in the order of their commits
  std::uint64_t last_id_ = 0;
  std::shared_ptr<void> subscription_;
};

}  // namespace orchion::control::notify
