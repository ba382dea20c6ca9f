#pragma once

// All objects of the cluster in memory, as of one durable revision. What reads, controllers and watches see.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/store/store.h"
#include "v1/objects.pb.h"

namespace orchion::v1 {
class Channel;  // v1/channels.pb.h
class Delivery;
}  // namespace orchion::v1

namespace orchion::control::store {

// Within one kind: the stack (empty for what belongs to none) and the name.
struct ObjectName {
  std::string stack;
  std::string name;

  auto operator<=>(const ObjectName&) const = default;
};

template <class T>
class TableKeeper;

// Objects of one kind, in the order of their names. Pointers stay valid until the next change of that object;
// nothing is kept across a co_await but the shared_ptr.
template <class T>
class ObjectTable {
 public:
  using Pointer = std::shared_ptr<const T>;

  Pointer find(const std::string& stack, const std::string& name) const {
    const auto it = by_name_.find(ObjectName{stack, name});
    return it == by_name_.end() ? nullptr : it->second;
  }
  Pointer find(const std::string& name) const { return find("", name); }
  Pointer find_uid(const std::string& uid) const {
    const auto it = by_uid_.find(uid);
    return it == by_uid_.end() ? nullptr : it->second;
  }

  const std::map<ObjectName, Pointer>& all() const { return by_name_; }

  // Those of one stack, in order.
  std::vector<Pointer> of_stack(const std::string& stack) const {
    std::vector<Pointer> result;
    for (auto it = by_name_.lower_bound(ObjectName{stack, ""}); it != by_name_.end() && it->first.stack == stack; ++it)
      result.push_back(it->second);
    return result;
  }

 private:
  friend class TableKeeper<T>;
  std::map<ObjectName, Pointer> by_name_;
  std::map<std::string, Pointer> by_uid_;
};

// One object before and after a commit; either may be null, `before` where it was created, `after` where it
// was removed. Exactly the pair that fits `kind` is set.
struct ObjectChange {
  std::string kind;  // "Task"
  ObjectName name;
  std::shared_ptr<const google::protobuf::Message> before;
  std::shared_ptr<const google::protobuf::Message> after;
};

class View {
 public:
  View();
  ~View();
  View(View&&) noexcept;
  View& operator=(View&&) noexcept;

  // Begins anew. After an error, here and in apply(), the view is half done and good for nothing.
  base::Result<> load(const Snapshot& snapshot);

  // `commit.revision` must be newer than revision(). An entry that can't be decoded is kDataLoss: the store holds
  // what this program didn't write. Costs by what the commit holds, not by what the view holds.
  base::Result<std::vector<ObjectChange>> apply(const Commit& commit);

  // Becomes `newer`; returns what differs.
  std::vector<ObjectChange> replace(View newer);

  Revision revision() const { return revision_; }

  const ObjectTable<v1::Stack>& stacks() const;
  const ObjectTable<v1::Service>& services() const;
  const ObjectTable<v1::Revision>& revisions() const;
  const ObjectTable<v1::Task>& tasks() const;
  const ObjectTable<v1::Network>& networks() const;
  const ObjectTable<v1::Volume>& volumes() const;
  const ObjectTable<v1::Node>& nodes() const;
  const ObjectTable<v1::Image>& images() const;
  const ObjectTable<v1::Event>& events() const;
  const ObjectTable<v1::Token>& tokens() const;
  const ObjectTable<v1::Job>& jobs() const;
  const ObjectTable<v1::Run>& runs() const;
  const ObjectTable<v1::Channel>& channels() const;
  const ObjectTable<v1::Delivery>& deliveries() const;
  const ObjectTable<v1::TaskRecord>& task_records() const;
  const ObjectTable<v1::NetworkPolicy>& network_policies() const;

  // In the order of their names.
  std::vector<std::shared_ptr<const v1::Task>> tasks_of_service(const std::string& stack,
                                                                const std::string& service) const;
  std::vector<std::shared_ptr<const v1::Task>> tasks_of_run(const std::string& stack, const std::string& run) const;
  std::vector<std::shared_ptr<const v1::Task>> tasks_of_node(const std::string& node_uid) const;

  // Those of one job, in the order of their numbers.
  std::vector<std::shared_ptr<const v1::Run>> runs_of_job(const std::string& stack, const std::string& job) const;

  // What a task is made from: its revision, or what its run comes to as one (nameless, never stored; the same pointer
  // as long as the run makes the same tasks). Null where that is gone.
  std::shared_ptr<const v1::Revision> template_of(const v1::Task& task) const;
  std::shared_ptr<const v1::Revision> template_of_run(const std::string& stack, const std::string& run) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
  Revision revision_ = 0;
};

}  // namespace orchion::control::store
