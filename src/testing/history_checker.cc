#include "testing/history_checker.h"

#include <fmt/core.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "core/task_state.h"

namespace orchion::testing {

namespace {

// Maps in the order of their keys.
std::string bytes_of(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream out(&bytes);
  google::protobuf::io::CodedOutputStream coded(&out);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

const v1::Meta* meta_of(const google::protobuf::Message* message) {
  if (message == nullptr) return nullptr;
  const auto* field = message->GetDescriptor()->FindFieldByName("meta");
  return static_cast<const v1::Meta*>(&message->GetReflection()->GetMessage(*message, field));
}

google::protobuf::RepeatedPtrField<v1::NetworkAddress> addresses_of(const std::string& kind,
                                                                    const google::protobuf::Message* object) {
  if (object != nullptr && kind == "Task") return static_cast<const v1::Task*>(object)->spec().assignment().addresses();
  if (object != nullptr && kind == "Service")
    return static_cast<const v1::Service*>(object)->status().virtual_addresses();
  return {};
}

}  // namespace

void HistoryChecker::take(const control::store::ObjectStore::Commit& commit) {
  ++commits_;
  if (commit.revision <= newest_) violated(fmt::format("revision {} came after {}", commit.revision, newest_));
  newest_ = std::max(newest_, commit.revision);
  look_at_addresses(commit);
  for (const auto& change : commit.changes) {
    add_to_hash(fmt::format("{} {}/{}", change.kind, change.name.stack, change.name.name));
    if (change.after) add_to_hash(bytes_of(*change.after));
    const auto* before = meta_of(change.before.get());
    const auto* after = meta_of(change.after.get());
    if (before != nullptr && after != nullptr && before->uid() == after->uid() &&
        after->revision() < before->revision())
      violated(fmt::format("{} {} went from revision {} back to {}", change.kind, change.name.name, before->revision(),
                           after->revision()));
    if (change.kind == "Task")
      look_at_task(static_cast<const v1::Task*>(change.before.get()), static_cast<const v1::Task*>(change.after.get()));
  }
}

// What a commit frees others may take in it.
void HistoryChecker::look_at_addresses(const control::store::ObjectStore::Commit& commit) {
  for (const auto& change : commit.changes)
    for (const auto& address : addresses_of(change.kind, change.before.get()))
      holders_.erase({address.network_uid(), address.address()});
  for (const auto& change : commit.changes)
    for (const auto& address : addresses_of(change.kind, change.after.get())) {
      const auto holder = fmt::format("{} {}", change.kind, change.name.name);
      const auto [other, is_first] = holders_.emplace(std::pair(address.network_uid(), address.address()), holder);
      if (!is_first) violated(fmt::format("{} was given {}, which {} has", holder, address.address(), other->second));
    }
}

void HistoryChecker::look_at_task(const v1::Task* before, const v1::Task* after) {
  if (after == nullptr) {
    given_up_.insert(before->meta().uid());
    return;
  }
  if (after->spec().desired_state() == v1::DESIRED_LOST) given_up_.insert(after->meta().uid());
  if (before == nullptr) {
    if (!after->spec().predecessor().empty()) successors_[after->spec().predecessor()].push_back(after->meta().uid());
    return;
  }
  if (before->spec().has_assignment() &&
      before->spec().assignment().SerializeAsString() != after->spec().assignment().SerializeAsString())
    violated(fmt::format("the assignment of {} was written twice", after->meta().name()));
  if (!core::may_follow(before->status(), after->status()))
    violated(fmt::format("{} went from {} of attempt {} to {} of attempt {}", after->meta().name(),
                         core::state_name(before->status().state()), before->status().attempt(),
                         core::state_name(after->status().state()), after->status().attempt()));
}

void HistoryChecker::add_to_hash(const std::string& bytes) {
  for (const char c : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
}

}  // namespace orchion::testing
