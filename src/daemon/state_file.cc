#include "daemon/state_file.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "cli/whole_file.h"
#include "control/auth/shared_identity.h"
#include "control/backup/backup_file.h"
#include "control/backup/restore.h"
#include "control/store/sqlite/sqlite_store.h"
#include "core/timestamps.h"
#include "daemon/folders.h"
#include "daemon/loop_thread.h"
#include "daemon/shared_store.h"
#include "daemon/version.h"

namespace orchion::daemon {

namespace store = control::store;

namespace {

constexpr std::size_t kPieceBytes = 1u << 20;

using StorePtr = std::unique_ptr<store::Store>;

base::Co<StorePtr> open_store(base::Executor executor, StateFile state) {
  if (!state.store.is_shared()) {
    CO_ASSIGN_OR_RETURN(auto opened, store::SqliteStore::open(executor, Folders{state.data}.database()));
    co_return StorePtr(std::move(opened));
  }
  CO_ASSIGN_OR_RETURN(auto shared, read_shared_store(state.store));
  CO_ASSIGN_OR_RETURN(const auto id, server_id(state.data));
  CO_ASSIGN_OR_RETURN(auto opened, co_await open_shared_store(executor, std::move(shared), id));
  co_return StorePtr(std::move(opened));
}

base::Co<control::backup::Restored> restore(base::Executor executor, StateFile from, Tokens tokens) {
  CO_ASSIGN_OR_RETURN(const auto store, co_await open_store(executor, from));
  co_return co_await control::backup::restore(*store, from.file, {.keep_tokens = tokens == Tokens::kKept});
}

base::Co<std::uint64_t> save(base::Executor executor, StateFile to, v1::BackupHeader header) {
  CO_ASSIGN_OR_RETURN(const auto store, co_await open_store(executor, to));
  CO_RETURN_IF_ERROR(co_await control::backup::check_restored(*store));
  CO_ASSIGN_OR_RETURN(auto snapshot, co_await store->list(""));
  header.set_bookmark(store::Bookmark{store->epoch(), snapshot.revision}.text());
  CO_ASSIGN_OR_RETURN(auto file, cli::WholeFile::open(to.file.string(), "a state", 0600));
  control::backup::BackupWriter writer(header);
  for (auto& entry : snapshot.entries) {
    writer.add(std::move(entry.key), std::move(entry.value));
    if (writer.size() >= kPieceBytes) CO_RETURN_IF_ERROR(file.write(writer.take()));
  }
  writer.end();
  CO_RETURN_IF_ERROR(file.write(writer.take()));
  CO_RETURN_IF_ERROR(file.finish());
  co_return snapshot.entries.size();
}

std::string place_of(const StateFile& state) {
  return state.store.is_shared() ? state.store.address : state.data.string();
}

std::string time_text(const google::protobuf::Timestamp& time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(time.seconds())));
}

}  // namespace

base::Result<std::string> restore_state(const StateFile& from, Tokens tokens) {
  ASSIGN_OR_RETURN(const auto reader, control::backup::BackupReader::open(from.file));
  RETURN_IF_ERROR(prepare_data_folder(from.data));
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(Folders{from.data}, "a server"));
  RETURN_IF_ERROR(control::auth::write_identity(from.data, reader.header().identity()));
  LoopThread loop;
  ASSIGN_OR_RETURN(const auto restored, loop.run(restore(loop.executor(), from, tokens)));
  auto told = fmt::format("{} holds the state of {} now ({} entries): start the server", place_of(from),
                          time_text(restored.header.created_at()), restored.entries);
  if (tokens == Tokens::kVoid) told += "; tokens that were handed out are void";
  return told;
}

base::Result<std::string> export_state(const StateFile& to) {
  RETURN_IF_ERROR(prepare_data_folder(to.data));
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(Folders{to.data}, "a server"));
  v1::BackupHeader header;
  header.set_version(kVersion);
  *header.mutable_created_at() = core::to_timestamp(base::SystemClock().wall());
  auto identity = control::auth::read_identity(to.data);
  if (!identity)
    return base::fail(identity.error().code,
                      fmt::format("{} isn't the data folder of a server: name it with --data ({})", to.data.string(),
                                  identity.error().message));
  *header.mutable_identity() = *std::move(identity);
  LoopThread loop;
  ASSIGN_OR_RETURN(const auto entries, loop.run(save(loop.executor(), to, std::move(header))));
  return fmt::format(
      "saved {} entries of {}; whoever has the file can act as this cluster's server: keep it as a secret", entries,
      place_of(to));
}

}  // namespace orchion::daemon
