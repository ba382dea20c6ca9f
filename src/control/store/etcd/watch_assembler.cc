#include "control/store/etcd/watch_assembler.h"

#include <algorithm>

namespace orchion::control::store {

base::Result<std::vector<CommitPointer>> WatchAssembler::add(const etcdserverpb::WatchResponse& response) {
  std::vector<CommitPointer> commits;
  for (const auto& event : response.events()) {
    const auto revision = event.kv().mod_revision();
    if (revision <= seen_) continue;
    if (revision != gathering_) finish(commits);
    gathering_ = revision;
    RETURN_IF_ERROR(take(event));
  }
  if (response.fragment()) return commits;
  finish(commits);
  // Without events it says how far there were none. The answer to a new watch doesn't: its past is still to come.
  if (response.events().empty() && !response.created()) seen_ = std::max(seen_, response.header().revision());
  return commits;
}

base::Result<> WatchAssembler::take(const mvccpb::Event& event) {
  const auto& layout = codec_.layout();
  const auto& key = event.kv().key();
  if (key == layout.epoch()) {
    return base::fail(base::Code::kFailedPrecondition,
                      "the state in etcd was replaced by another; start this server anew");
  }
  const bool is_entry = layout.is_entry(key);
  if (!is_entry && !layout.is_writer(key)) return {};
  if (!commit_) commit_ = std::make_shared<Commit>(codec_.from_etcd(gathering_));
  if (!is_entry) return {};
  auto& change = commit_->changes.emplace_back(layout.key_of(key));
  if (event.type() == mvccpb::Event::PUT) change.value = event.kv().value();
  return {};
}

void WatchAssembler::finish(std::vector<CommitPointer>& commits) {
  if (gathering_ != 0) seen_ = gathering_;
  gathering_ = 0;
  if (commit_) commits.push_back(std::move(commit_));
  commit_ = nullptr;
}

}  // namespace orchion::control::store
