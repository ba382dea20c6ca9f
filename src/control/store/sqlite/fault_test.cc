// What the store does when the disk fails, on SQLite's own file layer with faults put in.

#include <atomic>
#include <limits>
#include <map>
#include <semaphore>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "control/store/conformance/test_folder.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/sqlite/sqlite_store.h"

namespace orchion::control::store {
namespace {

using base::Code;

constexpr const char* kVfs = "faulty";

// The writer's thread reads these, the test sets them.
struct Faults {
  std::atomic<int> syncs = 0;
  std::atomic<bool> sync_fails = false;
  std::atomic<std::int64_t> size_max = std::numeric_limits<std::int64_t>::max();  // of any file, in bytes
  std::atomic<bool> hold_syncs = false;
  std::binary_semaphore sync_begun{0};
  std::binary_semaphore sync_goes_on{0};
};

// SQLite's methods of one kind of file, some of them replaced. A file points to `methods`.
struct FaultyMethods {
  sqlite3_io_methods methods;
  const sqlite3_io_methods* real;
};

Faults* faults = nullptr;
std::map<const sqlite3_io_methods*, FaultyMethods> faulty_methods;

const sqlite3_io_methods& real_methods(const sqlite3_file* file) {
  return *reinterpret_cast<const FaultyMethods*>(file->pMethods)->real;
}

int faulty_sync(sqlite3_file* file, int flags) {
  ++faults->syncs;
  if (faults->hold_syncs.exchange(false)) {
    faults->sync_begun.release();
    faults->sync_goes_on.acquire();
  }
  if (faults->sync_fails) return SQLITE_IOERR_FSYNC;
  return real_methods(file).xSync(file, flags);
}

int faulty_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (offset + size > faults->size_max) return SQLITE_FULL;
  return real_methods(file).xWrite(file, data, size, offset);
}

int faulty_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  auto* const vfs = sqlite3_vfs_find(nullptr);
  const int code = vfs->xOpen(vfs, name, file, flags, flags_out);
  if (file->pMethods == nullptr) return code;
  auto& faulty = faulty_methods[file->pMethods];
  faulty = {*file->pMethods, file->pMethods};
  faulty.methods.xSync = faulty_sync;
  faulty.methods.xWrite = faulty_write;
  file->pMethods = &faulty.methods;
  return code;
}

class FaultTest : public testing::Test {
 protected:
  FaultTest() : vfs_(*sqlite3_vfs_find(nullptr)) {
    faults = &faults_;
    vfs_.zName = kVfs;
    vfs_.xOpen = faulty_open;
    sqlite3_vfs_register(&vfs_, 0);
    reopen();
  }
  ~FaultTest() override {
    store_.reset();
    sqlite3_vfs_unregister(&vfs_);
    faults = nullptr;
  }

  void reopen() {
    store_.reset();
    auto opened = SqliteStore::open(loop_.executor(), folder_.path() / "store.db", {.history = {}, .vfs = kVfs});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
  }

  static Transaction putting(const std::string& key, std::string value = "v") {
    Transaction transaction;
    transaction.put(key, std::move(value));
    return transaction;
  }

  base::Result<Revision> put(const std::string& key, std::string value = "v") {
    return loop_.run(store_->commit(putting(key, std::move(value))));
  }

  bool has(const std::string& key) { return loop_.run(store_->get(key)).value().has_value(); }

  // Commits `first` alone and, while it is being synced, queues `others`, so that they become one group.
  std::vector<Outcome<Revision>> commit_as_group(std::vector<Transaction> others) {
    faults_.hold_syncs = true;
    std::vector<Outcome<Revision>> outcomes;
    outcomes.push_back(loop_.start(store_->commit(putting("first"))));
    loop_.poll();
    faults_.sync_begun.acquire();
    for (auto& other : others) outcomes.push_back(loop_.start(store_->commit(std::move(other))));
    loop_.poll();
    return outcomes;
  }
  void go_on() { faults_.sync_goes_on.release(); }

  Faults faults_;
  sqlite3_vfs vfs_;
  TestLoop loop_;
  TestFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(FaultTest, EveryCommitIsSynced) {
  for (int i = 0; i < 5; ++i) {
    const int before = faults_.syncs;
    put("k").value();
    EXPECT_GE(faults_.syncs, before + 1);
  }
}

TEST_F(FaultTest, ReadsAndWatchesShowNothingThatIsNotSynced) {
  auto watch = loop_.run(store_->watch(0)).value();
  loop_.run(watch->next()).value();
  const auto watching = loop_.start(watch->next());
  const auto outcomes = commit_as_group({});
  const auto reading = loop_.start(store_->get("first"));
  loop_.poll();
  EXPECT_FALSE(watching->has_value());
  EXPECT_FALSE(reading->has_value()) << "waits for the commit before it";
  EXPECT_FALSE(outcomes[0]->has_value());
  EXPECT_EQ(store_->revision(), 0u);
  go_on();
  EXPECT_EQ(loop_.wait(outcomes[0]), base::Result<Revision>(1));
  EXPECT_EQ(loop_.wait(watching).value().revision, 1u);
  EXPECT_TRUE(loop_.wait(reading).value().has_value());
}

TEST_F(FaultTest, TransactionsThatWaitShareOneSync) {
  put("warm").value();
  std::vector<Transaction> others;
  for (int i = 0; i < 40; ++i) {
    others.push_back(putting("k" + std::to_string(i)));
    if (i % 2) others.back().expect("first", 0);
  }
  const int before = faults_.syncs;
  const auto outcomes = commit_as_group(std::move(others));
  go_on();
  EXPECT_EQ(loop_.wait(outcomes[0]), base::Result<Revision>(2));
  Revision last = 2;
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    const auto outcome = loop_.wait(outcomes[i]);
    if (i % 2) {
      EXPECT_EQ(outcome, base::Result<Revision>(++last));
    } else {
      EXPECT_EQ(outcome.error().code, Code::kAborted);
    }
  }
  EXPECT_EQ(faults_.syncs, before + 2) << "one for the first, one for all the others";
}

TEST_F(FaultTest, WithoutSpaceNothingIsDoneAndItHeals) {
  put("a").value();
  faults_.size_max = 0;
  const auto failed = put("b");
  EXPECT_EQ(failed.error().code, Code::kResourceExhausted);
  EXPECT_EQ(put("c").error().code, Code::kResourceExhausted);
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(store_->revision(), 1u);
  faults_.size_max = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(put("b"), base::Result<Revision>(2));
  reopen();
  EXPECT_TRUE(has("b"));
  EXPECT_FALSE(has("c"));
}

TEST_F(FaultTest, WhereOneOfAGroupDoesNotFitTheOthersAreDone) {
  std::vector<Transaction> others;
  others.push_back(putting("small"));
  others.push_back(putting("large", std::string(900'000, 'x')));
  others.push_back(putting("after_small"));
  others.back().expect("small", 2);
  others.push_back(putting("after_large"));
  others.back().expect("large", 3);
  const auto outcomes = commit_as_group(std::move(others));
  faults_.size_max = 500'000;
  go_on();
  EXPECT_EQ(loop_.wait(outcomes[0]), base::Result<Revision>(1));
  EXPECT_EQ(loop_.wait(outcomes[1]), base::Result<Revision>(2));
  EXPECT_EQ(loop_.wait(outcomes[2]).error().code, Code::kResourceExhausted);
  EXPECT_EQ(loop_.wait(outcomes[3]), base::Result<Revision>(3)) << "no revision is lost";
  EXPECT_EQ(loop_.wait(outcomes[4]).error().code, Code::kAborted) << "judged by what is durable";
  faults_.size_max = std::numeric_limits<std::int64_t>::max();
  auto watch = loop_.run(store_->watch(0)).value();
  for (Revision revision = 1; revision <= 3; ++revision) {
    EXPECT_EQ(loop_.run(watch->next()).value().revision, revision);
  }
}

TEST_F(FaultTest, AfterAFailedSyncNothingIsWrittenAnyMore) {
  put("a").value();
  auto watch = loop_.run(store_->watch(1)).value();
  loop_.run(watch->next()).value();
  const auto watching = loop_.start(watch->next());
  faults_.sync_fails = true;
  const auto failed = put("b");
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_NE(failed.error().message.find("begins anew"), std::string::npos) << failed.error().message;
  faults_.sync_fails = false;
  EXPECT_EQ(put("c").error().code, Code::kUnavailable) << "a later sync that succeeds proves nothing";
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_EQ(store_->revision(), 1u);
  EXPECT_FALSE(watching->has_value());

  const int before = faults_.syncs;
  store_.reset();
  EXPECT_EQ(faults_.syncs, before) << "closing leaves the log alone";
  reopen();
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("c"));
  EXPECT_TRUE(put("d").has_value());
}

TEST_F(FaultTest, TheLogIsMovedIntoTheDatabaseAndAFailureThereCountsToo) {
  const auto log = folder_.path() / "store.db-wal";
  const std::string value(900'000, 'x');
  for (int i = 0; i < 40; ++i) put("large", value).value();
  EXPECT_LT(std::filesystem::file_size(log), 40u << 20) << "40 puts of twice 0.9 MB";

  std::uintmax_t largest = 0;
  for (int i = 0; i < 40; ++i) {
    faults_.sync_fails = std::filesystem::file_size(log) > (14u << 20);
    const auto done = put("large", value);
    largest = std::max(largest, std::filesystem::file_size(log));
    if (!done) {
      EXPECT_EQ(done.error().code, Code::kUnavailable);
      return;
    }
  }
  FAIL() << "no sync failed; the log grew to " << largest;
}

}  // namespace
}  // namespace orchion::control::store
