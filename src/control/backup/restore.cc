#include "control/backup/restore.h"

#include "control/backup/backup_file.h"
#include "control/store/keys.h"

namespace orchion::control::backup {

using base::Code;

namespace {

constexpr char kMark[] = "cluster/restoring";

// What a store says of the servers on it is not of the next ones.
bool is_of_servers(const std::string& key) {
  return key.starts_with("cluster/");
}

bool is_token(const std::string& key) {
  const auto object = store::parse_object_key(key);
  return object && object->kind == "Token";
}

base::Result<> check_whole(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto reader, BackupReader::open(file));
  for (;;) {
    ASSIGN_OR_RETURN(const auto entry, reader.next());
    if (!entry) return {};
  }
}

// Writes as much at once as a transaction may hold.
class Batches {
 public:
  explicit Batches(store::Store& store) : store_(store) {}

  base::Co<> put(std::string key, std::string value) {
    const auto bytes = key.size() + value.size();
    if (batch_.operations.size() == store::kOperationsMax || bytes_ + bytes > store::kTransactionBytesMax / 2)
      CO_RETURN_IF_ERROR(co_await flush());
    bytes_ += bytes;
    batch_.put(std::move(key), std::move(value));
    co_return base::Result<>{};
  }
  base::Co<> remove(std::string key) {
    if (batch_.operations.size() == store::kOperationsMax) CO_RETURN_IF_ERROR(co_await flush());
    batch_.remove(std::move(key));
    co_return base::Result<>{};
  }
  base::Co<> flush() {
    bytes_ = 0;
    if (batch_.operations.empty()) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(co_await store_.commit(std::exchange(batch_, {})));
    co_return base::Result<>{};
  }

 private:
  store::Store& store_;
  store::Transaction batch_;
  std::size_t bytes_ = 0;
};

// Removes what an earlier try has left.
base::Co<> make_empty(store::Store& store) {
  CO_ASSIGN_OR_RETURN(const auto all, co_await store.list(""));
  if (!all.entries.empty()) {
    CO_ASSIGN_OR_RETURN(const auto mark, co_await store.get(kMark));
    if (!mark)
      co_return base::fail(Code::kFailedPrecondition,
                           "there is a state in this store already: name an empty one (another data folder, or another "
                           "prefix of etcd)");
  }
  Batches batches(store);
  CO_RETURN_IF_ERROR(co_await batches.put(kMark, "1"));
  CO_RETURN_IF_ERROR(co_await batches.flush());
  for (const auto& entry : all.entries)
    if (entry.key != kMark) CO_RETURN_IF_ERROR(co_await batches.remove(entry.key));
  co_return co_await batches.flush();
}

}  // namespace

base::Co<Restored> restore(store::Store& store, std::filesystem::path file, RestoreOptions options) {
  CO_RETURN_IF_ERROR(check_whole(file));
  CO_RETURN_IF_ERROR(co_await make_empty(store));
  CO_ASSIGN_OR_RETURN(auto reader, BackupReader::open(file));
  Restored restored{reader.header()};
  Batches batches(store);
  for (;;) {
    CO_ASSIGN_OR_RETURN(auto entry, reader.next());
    if (!entry) break;
    if (is_of_servers(entry->key()) || (is_token(entry->key()) && !options.keep_tokens)) continue;
    ++restored.entries;
    CO_RETURN_IF_ERROR(co_await batches.put(std::move(*entry->mutable_key()), std::move(*entry->mutable_value())));
  }
  CO_RETURN_IF_ERROR(co_await batches.flush());
  CO_RETURN_IF_ERROR(co_await batches.remove(kMark));
  CO_RETURN_IF_ERROR(co_await batches.flush());
  co_return restored;
}

base::Co<> check_restored(store::Store& store) {
  CO_ASSIGN_OR_RETURN(const auto mark, co_await store.get(kMark));
  if (mark)
    co_return base::fail(Code::kFailedPrecondition,
                         "a restore into this store didn't come to its end: say `orchion restore` again");
  co_return base::Result<>{};
}

}  // namespace orchion::control::backup
