#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

namespace orchion::node::agent {

// Which tasks of this node live in the network namespaces of others: one enters when the other's is there, and leaves
// before that goes. One executor.
class NetworkShares {
 public:
  enum class Network {
    kAbsent,
    kWired,        // and stays until its task is cleaned up
    kOfEachStart,  // an engine brings another with each start, so nobody can share it
  };

  // `changed` is called with the uid of each task that what follows may mean something else to; null: nobody's.
  explicit NetworkShares(std::function<void(const std::string& task_uid)> changed) : changed_(std::move(changed)) {}

  void set_network(const std::string& owner, Network network);
  Network network_of(const std::string& owner) const;

  void enter(const std::string& owner, const std::string& sharer);  // once or more
  void leave(const std::string& sharer);                            // nothing where it never entered
  bool is_shared(const std::string& owner) const;

 private:
  struct Owner {
    Network network = Network::kAbsent;
    std::set<std::string> sharers;
  };
  void tell(const std::string& task_uid) const;
  void drop_if_empty(const std::string& owner);

  std::function<void(const std::string&)> changed_;
  std::map<std::string, Owner> owners_;         // by task uid
  std::map<std::string, std::string> sharers_;  // whose network each is in
};

}  // namespace orchion::node::agent
