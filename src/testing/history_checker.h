#pragma once

// What must hold between one commit and the next, whatever happens.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/store/object_store.h"

namespace orchion::testing {

// Listens to a store over all lives of its control plane.
class HistoryChecker {
 public:
  void take(const control::store::ObjectStore::Commit& commit);

  // One sentence each.
  const std::vector<std::string>& violations() const { return violations_; }

  // Of all commits so far, byte by byte: the same seed must give the same.
  std::uint64_t hash() const { return hash_; }
  std::uint64_t commits() const { return commits_; }

  // Declared lost, or removed: something of them may still run where nobody answers.
  bool is_given_up(const std::string& task_uid) const { return given_up_.contains(task_uid); }

  // Uids of all tasks ever made to replace this one.
  const std::vector<std::string>& successors(const std::string& task_uid) { return successors_[task_uid]; }

 private:
  void look_at_task(const v1::Task* before, const v1::Task* after);
  void look_at_addresses(const control::store::ObjectStore::Commit& commit);
  void add_to_hash(const std::string& bytes);
  void violated(std::string what) { violations_.push_back(std::move(what)); }

  std::vector<std::string> violations_;
  std::set<std::string> given_up_;
  std::map<std::string, std::vector<std::string>> successors_;
  std::map<std::pair<std::string, std::string>, std::string> holders_;  // network uid and address → who has it
  control::store::Revision newest_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t hash_ = 14695981039346656037u;  // FNV-1a
};

}  // namespace orchion::testing
