#pragma once

// Which sessions have to hear of a commit.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/services/assignments.h"

namespace orchion::control::services {

// Sessions by what their words depend on, so that a commit costs by those it concerns and not by how many nodes there
// are. No I/O; one executor.
class FeedIndex {
 public:
  // The session's feed as it is now; again after each of its words.
  void put(std::uint64_t session, const AssignmentFeed& feed, const store::View& view);
  void erase(std::uint64_t session);

  // Numbers of sessions, ascending: all whose feed may have a delta() of this commit. `view` shows the commit.
  std::vector<std::uint64_t> concerned_by(const store::View& view, const store::ObjectStore::Commit& commit) const;

 private:
  using Sessions = std::set<std::uint64_t>;
  struct Entry {
    std::string node_uid;
    std::set<std::string> networks;
  };

  void add_of(const v1::Task* before, const v1::Task* after, Sessions& found) const;
  void add_of(const v1::Node* before, const v1::Node* after, Sessions& found) const;
  void add_of(const store::View& view, const v1::Service* before, const v1::Service* after, Sessions& found) const;
  void add_of(const v1::Network& network, Sessions& found) const;
  void add_node(const std::string& uid, Sessions& found) const;
  void add_network(const std::string& uid, Sessions& found) const;
  void add_all(Sessions& found) const;

  std::map<std::uint64_t, Entry> sessions_;
  std::unordered_map<std::string, Sessions> by_node_;     // uid
  std::unordered_map<std::string, Sessions> by_network_;  // uid
  Sessions with_peers_;
  Sessions with_routes_;
};

}  // namespace orchion::control::services
