#include "control/store/sqlite/engine.h"

#include <fmt/format.h>

#include "base/log.h"
#include "control/store/transaction_rules.h"

namespace orchion::control::store {
namespace {

using base::Code;

// 16 MiB of log between checkpoints: measured faster than SQLite's own 1,000 pages.
constexpr int kCheckpointPages = 4000;

// History is forgotten in batches, not with every commit.
constexpr Revision kCompactionBatch = 64;

constexpr std::size_t kPageCommits = 256;
constexpr std::size_t kPageBytes = 1u << 20;

std::int64_t signed_of(Revision revision) {
  return static_cast<std::int64_t>(revision);
}

std::int64_t history_id(Revision revision, std::size_t place) {
  return signed_of(revision) * kHistoryStride + static_cast<std::int64_t>(place);
}

}  // namespace

Engine::Engine(std::filesystem::path path, Database database, StoredState state, SqliteOptions options)
    : path_(std::move(path)),
      database_(std::move(database)),
      state_(std::move(state)),
      window_(options.history, state_.compacted),
      broke_(std::move(options.broke)),
      checkpoint_at_(kCheckpointPages) {}

base::Result<std::unique_ptr<Engine>> Engine::open(const std::filesystem::path& path, SqliteOptions options) {
  ASSIGN_OR_RETURN(auto database, open_database(path, options.vfs));
  ASSIGN_OR_RETURN(auto state, read_state(database));
  std::unique_ptr<Engine> engine(new Engine(path, std::move(database), std::move(state), std::move(options)));
  RETURN_IF_ERROR(engine->prepare());
  RETURN_IF_ERROR(engine->measure_history());
  return engine;
}

base::Result<> Engine::prepare() {
  const std::pair<Statement&, const char*> statements[] = {
      {begin_, "BEGIN IMMEDIATE"},
      {commit_, "COMMIT"},
      {rollback_, "ROLLBACK"},
      {find_revisions_, "SELECT created, revision FROM entries WHERE key = ?1"},
      {find_, "SELECT value, revision, created FROM entries WHERE key = ?1"},
      {list_, "SELECT key, value, revision, created FROM entries WHERE key >= ?1 ORDER BY key"},
      {put_,
       "INSERT INTO entries (key, value, created, revision) VALUES (?1, ?2, ?3, ?3)"
       " ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision"},
      {remove_, "DELETE FROM entries WHERE key = ?1"},
      {remember_, "INSERT INTO history (id, key, value) VALUES (?1, ?2, ?3)"},
      {forget_, "DELETE FROM history WHERE id < ?1"},
      {recall_, "SELECT id, key, value FROM history WHERE id >= ?1 ORDER BY id"},
      {save_state_, "UPDATE state SET revision = ?1, compacted = ?2 WHERE id = 1"},
  };
  for (const auto& [statement, sql] : statements) {
    ASSIGN_OR_RETURN(statement, database_.prepare(sql));
  }
  return {};
}

base::Result<> Engine::measure_history() {
  ASSIGN_OR_RETURN(auto sizes, database_.prepare("SELECT id / ?1, sum(length(CAST(key AS BLOB)) +"
                                                 " ifnull(length(value), 0)) FROM history GROUP BY 1 ORDER BY 1"));
  sizes.bind(1, kHistoryStride);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, sizes.step());
    if (!row) return {};
    window_.push(static_cast<Revision>(sizes.integer(0)), static_cast<std::size_t>(sizes.integer(1)));
  }
}

Engine::Group Engine::commit(std::span<const Transaction> transactions) {
  if (broken_) return {std::vector<base::Result<Revision>>(transactions.size(), std::unexpected(*broken_)), {}};
  auto group = attempt(transactions);
  if (group) return std::move(*group);
  if (group.error().code != Code::kResourceExhausted) {
    break_by(group.error());
    return commit(transactions);
  }
  if (transactions.size() == 1) {
    return {{base::fail(Code::kResourceExhausted,
                        fmt::format("no space is left for {}, so nothing was changed; free some and try again",
                                    path_.string()))},
            {}};
  }
  // One may be too much while another, a removal perhaps, still fits.
  Group each;
  for (std::size_t i = 0; i < transactions.size(); ++i) {
    auto alone = commit(transactions.subspan(i, 1));
    each.verdicts.push_back(std::move(alone.verdicts.front()));
    each.commits.insert(each.commits.end(), alone.commits.begin(), alone.commits.end());
  }
  return each;
}

base::Result<Engine::Group> Engine::attempt(std::span<const Transaction> transactions) {
  const StoredState before = state_;
  base::Result<Group> group = base::fail(Code::kUnavailable, "");
  base::Result<> done = begin_.run();
  if (done) {
    group = perform(transactions);
    done = group ? commit_.run() : base::Result<>(std::unexpected(group.error()));
  }
  if (!done) {
    state_ = before;
    if (database_.in_transaction()) {
      if (const auto undone = rollback_.run(); !undone) return std::unexpected(undone.error());
    }
    return std::unexpected(done.error());
  }
  for (const auto& commit : group->commits) window_.push(commit->revision, commit_bytes(*commit));
  return group;
}

base::Result<Engine::Group> Engine::perform(std::span<const Transaction> transactions) {
  Group group;
  for (const auto& transaction : transactions) {
    ASSIGN_OR_RETURN(const auto holds, check(transaction));
    if (!holds) {
      group.verdicts.push_back(std::unexpected(holds.error()));
      continue;
    }
    ASSIGN_OR_RETURN(auto commit, write(transaction, state_.revision + 1));
    if (!commit->changes.empty()) {
      state_.revision = commit->revision;
      group.commits.push_back(std::move(commit));
    }
    group.verdicts.push_back(state_.revision);
  }
  if (group.commits.empty()) return group;
  RETURN_IF_ERROR(compact());
  RETURN_IF_ERROR(save_state_.bind(1, signed_of(state_.revision)).bind(2, signed_of(state_.compacted)).run());
  return group;
}

// The outer result is the database's, the inner one the verdict.
base::Result<base::Result<>> Engine::check(const Transaction& transaction) {
  for (const auto& precondition : transaction.preconditions) {
    find_revisions_.bind_text(1, precondition.key);
    ASSIGN_OR_RETURN(const bool found, find_revisions_.step());
    const auto created = found ? static_cast<Revision>(find_revisions_.integer(0)) : 0;
    const auto revision = found ? static_cast<Revision>(find_revisions_.integer(1)) : 0;
    find_revisions_.reset();
    if (auto holds = check_precondition(precondition, created, revision); !holds) return holds;
  }
  return base::Result<>{};
}

base::Result<CommitPointer> Engine::write(const Transaction& transaction, Revision revision) {
  auto commit = std::make_shared<Commit>();
  commit->revision = revision;
  for (const auto& operation : transaction.operations) {
    ASSIGN_OR_RETURN(const bool changed, write_entry(operation, revision));
    if (!changed) continue;
    remember_.bind(1, history_id(revision, commit->changes.size())).bind_text(2, operation.key);
    operation.value ? remember_.bind_blob(3, *operation.value) : remember_.bind_null(3);
    RETURN_IF_ERROR(remember_.run());
    commit->changes.push_back({operation.key, operation.value});
  }
  return commit;
}

// False: there was nothing to remove.
base::Result<bool> Engine::write_entry(const Operation& operation, Revision revision) {
  if (operation.value) {
    RETURN_IF_ERROR(put_.bind_text(1, operation.key).bind_blob(2, *operation.value).bind(3, signed_of(revision)).run());
    return true;
  }
  RETURN_IF_ERROR(remove_.bind_text(1, operation.key).run());
  return database_.changes() > 0;
}

base::Result<> Engine::compact() {
  if (window_.reaches_back_to() < state_.compacted + kCompactionBatch) return {};
  state_.compacted = window_.reaches_back_to();
  return forget_.bind(1, history_id(state_.compacted + 1, 0)).run();
}

// Remembers for ever that nothing can be written any more, and why.
void Engine::break_by(const base::Error& error) {
  if (broken_) return;
  database_.leave_log_alone();
  broken_ =
      base::Error{Code::kUnavailable,
                  fmt::format("the store can't write to {} any more ({}); the server begins anew with what is on the "
                              "disk: check that where this comes again",
                              path_.string(), error.message),
                  {}};
  base::log::error("{}", broken_->message);
  if (broke_) broke_();
}

std::unexpected<base::Error> Engine::fail_read(const base::Error& error) const {
  return base::fail(error.code,
                    fmt::format("the store can't read {} ({}); check the disk, and restore a backup where it "
                                "is damaged",
                                path_.string(), error.message));
}

base::Result<std::optional<Entry>> Engine::get(const std::string& key) {
  auto found = find(key);
  if (!found) return fail_read(found.error());
  return found;
}

base::Result<std::optional<Entry>> Engine::find(const std::string& key) {
  find_.bind_text(1, key);
  ASSIGN_OR_RETURN(const bool found, find_.step());
  if (!found) return std::nullopt;
  Entry entry{key, find_.bytes(0), static_cast<Revision>(find_.integer(1)), static_cast<Revision>(find_.integer(2))};
  find_.reset();
  return entry;
}

base::Result<Snapshot> Engine::list(const std::string& prefix) {
  auto entries = scan(prefix);
  if (!entries) return fail_read(entries.error());
  return Snapshot{std::move(*entries), state_.revision};
}

base::Result<std::vector<Entry>> Engine::scan(const std::string& prefix) {
  std::vector<Entry> entries;
  list_.bind_text(1, prefix);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, list_.step());
    if (!row) return entries;
    std::string key = list_.bytes(0);
    if (!key.starts_with(prefix)) break;
    entries.push_back({std::move(key), list_.bytes(1), static_cast<Revision>(list_.integer(2)),
                       static_cast<Revision>(list_.integer(3))});
  }
  list_.reset();
  return entries;
}

base::Result<std::vector<CommitPointer>> Engine::history(Revision after) {
  if (after < window_.reaches_back_to()) return fail_compacted(after);
  auto commits = recall(after);
  if (!commits) return fail_read(commits.error());
  return commits;
}

base::Result<std::vector<CommitPointer>> Engine::recall(Revision after) {
  std::vector<std::shared_ptr<Commit>> commits;
  std::size_t bytes = 0;
  recall_.bind(1, history_id(after + 1, 0));
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, recall_.step());
    if (!row) break;
    const auto revision = static_cast<Revision>(recall_.integer(0) / kHistoryStride);
    if (commits.empty() || commits.back()->revision != revision) {
      if (commits.size() >= kPageCommits || bytes >= kPageBytes) break;
      commits.push_back(std::make_shared<Commit>(revision));
    }
    auto& change = commits.back()->changes.emplace_back(recall_.bytes(1));
    if (!recall_.is_null(2)) change.value = recall_.bytes(2);
    bytes += change.key.size() + (change.value ? change.value->size() : 0);
  }
  recall_.reset();
  return std::vector<CommitPointer>(commits.begin(), commits.end());
}

void Engine::maintain() {
  if (broken_ || database_.log_pages() < checkpoint_at_) return;
  const auto done = database_.checkpoint();
  checkpoint_at_ = kCheckpointPages;
  if (done) return;
  if (done.error().code != Code::kResourceExhausted) {
    break_by(done.error());
    return;
  }
  // The log keeps everything meanwhile; no need to try with every commit.
  checkpoint_at_ = database_.log_pages() + kCheckpointPages / 4;
  base::log::warn("no space is left to move the log of {} into it; free some", path_.string());
}

}  // namespace orchion::control::store
