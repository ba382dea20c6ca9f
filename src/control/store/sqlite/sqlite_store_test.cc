#include "control/store/sqlite/sqlite_store.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/file.h"
#include "control/store/conformance/store_conformance.h"
#include "control/store/conformance/test_folder.h"

namespace orchion::control::store {
namespace {

using base::Code;

class SqliteStoreFactory final : public StoreFactory {
 public:
  std::unique_ptr<Store> open(base::Executor executor, HistoryLimits history) override {
    const auto path = folder_.path() / (std::to_string(++opened_) + ".db");
    auto store = SqliteStore::open(executor, path, {.history = history, .vfs = ""});
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }

 private:
  TestFolder folder_;
  int opened_ = 0;
};

std::unique_ptr<StoreFactory> make_sqlite_factory() {
  return std::make_unique<SqliteStoreFactory>();
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(make_sqlite_factory));

class SqliteStoreTest : public testing::Test {
 protected:
  base::Result<std::unique_ptr<SqliteStore>> try_open(HistoryLimits history = {}) {
    return SqliteStore::open(loop_.executor(), path_, {.history = history, .vfs = ""});
  }

  void reopen(HistoryLimits history = {}) {
    store_.reset();
    auto opened = try_open(history);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
  }

  Revision put(std::string key, std::string value) {
    Transaction transaction;
    transaction.put(std::move(key), std::move(value));
    return loop_.run(store_->commit(std::move(transaction))).value();
  }

  // Runs one statement on the closed file, as another program would.
  void tamper(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  TestLoop loop_;
  TestFolder folder_;
  std::filesystem::path path_ = folder_.path() / "data" / "store.db";
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(SqliteStoreTest, KeepsEverythingAcrossARestart) {
  reopen();
  const std::string epoch = store_->epoch();
  put("a", "1");
  put("b", "1");
  put("a", "2");
  reopen();
  EXPECT_EQ(store_->epoch(), epoch);
  EXPECT_EQ(store_->revision(), 3u);
  const auto listed = loop_.run(store_->list("")).value();
  EXPECT_EQ(listed.entries, (std::vector<Entry>{{"a", "2", 3, 1}, {"b", "1", 2, 2}}));
  EXPECT_EQ(listed.revision, 3u);
  EXPECT_EQ(put("c", "1"), 4u);
}

TEST_F(SqliteStoreTest, AWatchResumesAcrossARestart) {
  reopen();
  put("a", "1");
  Transaction transaction;
  transaction.remove("a");
  transaction.put("b", "");
  loop_.run(store_->commit(transaction)).value();
  reopen();
  auto watch = loop_.run(store_->watch(1)).value();
  const auto commit = loop_.run(watch->next()).value();
  EXPECT_EQ(commit.revision, 2u);
  ASSERT_EQ(commit.changes.size(), 2u);
  EXPECT_EQ(commit.changes[0].key, "a");
  EXPECT_EQ(commit.changes[0].value, std::nullopt);
  EXPECT_EQ(commit.changes[1].value, "") << "empty isn't removed";
  EXPECT_TRUE(loop_.run(watch->next()).value().changes.empty());
  put("c", "1");
  EXPECT_EQ(loop_.run(watch->next()).value().revision, 3u);
}

TEST_F(SqliteStoreTest, AWatchReadsWhatMemoryNoLongerHolds) {
  reopen();
  std::vector<Outcome<Revision>> commits;
  for (int i = 0; i < 3000; ++i) {
    Transaction transaction;
    transaction.put("k" + std::to_string(i % 7), std::to_string(i));
    commits.push_back(loop_.start(store_->commit(std::move(transaction))));
  }
  for (const auto& commit : commits) loop_.wait(commit).value();
  auto watch = loop_.run(store_->watch(0)).value();
  for (Revision expected = 1; expected <= 3000; ++expected) {
    ASSERT_EQ(loop_.run(watch->next()).value().revision, expected);
  }
  EXPECT_TRUE(loop_.run(watch->next()).value().changes.empty());
}

TEST_F(SqliteStoreTest, HistoryStaysCompactedAcrossARestart) {
  const HistoryLimits ten{.commits = 10, .bytes = 1u << 20};
  reopen(ten);
  for (int i = 0; i < 300; ++i) put("k", std::to_string(i));
  reopen(ten);
  auto old = loop_.run(store_->watch(280)).value();
  EXPECT_EQ(loop_.run(old->next()).error().code, Code::kOutOfRange);
  auto recent = loop_.run(store_->watch(290)).value();
  EXPECT_EQ(loop_.run(recent->next()).value().revision, 291u);
  store_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
  int rows = 0;
  const auto count = [](void* out, int, char** columns, char**) {
    return *static_cast<int*>(out) = atoi(columns[0]), 0;
  };
  sqlite3_exec(database, "SELECT count(*) FROM history", count, &rows, nullptr);
  sqlite3_close(database);
  EXPECT_LE(rows, 10 + 64) << "the file forgets too";
  EXPECT_GE(rows, 10);
}

TEST_F(SqliteStoreTest, FilesAreTheirOwnersOnly) {
  const auto mask = ::umask(0);
  reopen();
  put("a", "1");
  ::umask(mask);
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(path_.parent_path())) {
    struct stat status{};
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << file.path();
    ++files;
  }
  EXPECT_GE(files, 2) << "the database and its log";
  std::filesystem::permissions(path_, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  reopen();
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::others_all,
            std::filesystem::perms::none);
}

TEST_F(SqliteStoreTest, TwoServersCannotShareAFile) {
  reopen();
  const auto second = try_open();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
  EXPECT_NE(second.error().message.find("in use by another server"), std::string::npos) << second.error().message;
  put("a", "1");
}

TEST_F(SqliteStoreTest, RefusesANewerFormat) {
  reopen();
  store_.reset();
  tamper("PRAGMA user_version = 2");
  const auto opened = try_open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
  EXPECT_NE(opened.error().message.find("newer version of orchion"), std::string::npos) << opened.error().message;
}

TEST_F(SqliteStoreTest, RefusesADamagedFile) {
  reopen();
  for (int i = 0; i < 200; ++i) put("k" + std::to_string(i), std::string(500, 'x'));
  store_.reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8192);
    file << std::string(20'000, '\x5a');
  }
  const auto damaged = try_open();
  ASSERT_FALSE(damaged.has_value());
  EXPECT_EQ(damaged.error().code, Code::kDataLoss);
  EXPECT_NE(damaged.error().message.find("restore it from a backup"), std::string::npos) << damaged.error().message;
}

TEST_F(SqliteStoreTest, RefusesWhatIsNoStore) {
  base::make_folders(path_.parent_path()).value();
  base::write_file(path_, std::string(10'000, 'x')).value();
  EXPECT_EQ(try_open().error().code, Code::kDataLoss);
  std::filesystem::remove(path_);
  tamper("CREATE TABLE somebody_elses (x)");
  EXPECT_EQ(try_open().error().code, Code::kDataLoss);
}

TEST_F(SqliteStoreTest, ClosingFinishesWhatWasBegun) {
  reopen();
  std::vector<Outcome<Revision>> commits;
  for (int i = 0; i < 50; ++i) {
    Transaction transaction;
    transaction.put("k" + std::to_string(i), "v");
    commits.push_back(loop_.start(store_->commit(std::move(transaction))));
  }
  while (store_->revision() == 0) loop_.step();
  store_.reset();
  for (const auto& commit : commits) EXPECT_TRUE(loop_.wait(commit).has_value());
  reopen();
  EXPECT_EQ(loop_.run(store_->list("")).value().entries.size(), 50u);
}

}  // namespace
}  // namespace orchion::control::store
