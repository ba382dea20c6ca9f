// Files that hold a state, and stores that get it back.

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/random.h"
#include "control/backup/backup_file.h"
#include "control/backup/restore.h"
#include "control/store/memory/memory_store.h"

namespace orchion::control::backup {
namespace {

using base::Code;

class BackupTest : public testing::Test {
 protected:
  ~BackupTest() override { (void)base::remove_tree(file_); }

  static std::string written(const std::map<std::string, std::string>& entries) {
    v1::BackupHeader header;
    header.set_version("1");
    header.mutable_identity()->set_cluster_id("c");
    BackupWriter writer(header);
    for (const auto& [key, value] : entries) writer.add(key, value);
    writer.end();
    return writer.take();
  }
  void put(std::string_view bytes) { ASSERT_TRUE(base::write_file_durably(file_, bytes)); }
  base::Result<std::map<std::string, std::string>> read() const {
    ASSIGN_OR_RETURN(auto reader, BackupReader::open(file_));
    std::map<std::string, std::string> entries;
    for (;;) {
      ASSIGN_OR_RETURN(auto entry, reader.next());
      if (!entry) return entries;
      entries[entry->key()] = entry->value();
    }
  }
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(io_, std::move(coroutine),
                          [&](std::exception_ptr, base::Result<T> ended) { result = std::move(ended); });
    io_.restart();
    io_.run();
    return std::move(*result);
  }
  std::map<std::string, std::string> all(store::Store& store) {
    std::map<std::string, std::string> entries;
    const auto snapshot = run(store.list("")).value();
    for (const auto& entry : snapshot.entries) entries[entry.key] = entry.value;
    return entries;
  }

  boost::asio::io_context io_;
  store::MemoryStore store_{io_.get_executor(), "e"};
  const std::filesystem::path file_ =
      std::filesystem::path(testing::TempDir()) / ("backup-" + base::Random::from_system().text(10));
};

TEST_F(BackupTest, WhatWasWrittenIsRead) {
  const std::map<std::string, std::string> entries{
      {"a", "1"}, {"b", ""}, {"c", std::string(1 << 20, 'x')}, {"d", "\n"}};
  put(written(entries));
  EXPECT_EQ(read(), entries);
  EXPECT_EQ(BackupReader::open(file_)->header().identity().cluster_id(), "c");
  put(written({}));
  EXPECT_TRUE(read()->empty());
}

TEST_F(BackupTest, EachDamageIsSeen) {
  const auto whole = written({{"a", "1"}, {"b", "2"}});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    put(whole.substr(0, i));
    EXPECT_FALSE(read()) << "cut at " << i;
    auto changed = whole;
    changed[i] ^= 1;
    put(changed);
    EXPECT_FALSE(read()) << "changed at " << i;
  }
  put(whole + "x");
  EXPECT_FALSE(read());
  put("PK\x03\x04 some other file");
  EXPECT_EQ(read().error().code, Code::kInvalidArgument);
}

TEST_F(BackupTest, ItIsRestoredWithoutTheTokensAndWhatIsTheServers) {
  std::map<std::string, std::string> entries{
      {"spec/Token//admin", "t"}, {"status/Token//admin", "t"}, {"cluster/leader", "x"}, {"spec/Stack//web", "s"}};
  for (int i = 0; i < 1000; ++i) entries["spec/Task/web/t" + std::to_string(i)] = std::string(4000, 'v');
  put(written(entries));
  const auto restored = run(restore(store_, file_));
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->entries, 1001u);
  entries.erase("spec/Token//admin");
  entries.erase("status/Token//admin");
  entries.erase("cluster/leader");
  EXPECT_EQ(all(store_), entries);
  EXPECT_TRUE(run(check_restored(store_)));
}

TEST_F(BackupTest, AStoreThatMovesKeepsItsTokens) {
  const std::map<std::string, std::string> entries{{"spec/Token//admin", "t"}, {"spec/Stack//web", "s"}};
  put(written(entries));
  ASSERT_TRUE(run(restore(store_, file_, {.keep_tokens = true})));
  EXPECT_EQ(all(store_), entries);
}

TEST_F(BackupTest, AStateThatIsThereStays) {
  store::Transaction transaction;
  transaction.put("spec/Stack//other", "o");
  ASSERT_TRUE(run(store_.commit(std::move(transaction))));
  put(written({{"spec/Stack//web", "s"}}));
  EXPECT_EQ(run(restore(store_, file_)).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(all(store_), (std::map<std::string, std::string>{{"spec/Stack//other", "o"}}));
}

TEST_F(BackupTest, ADamagedFileWritesNothing) {
  const auto whole = written({{"spec/Stack//web", "s"}});
  put(whole.substr(0, whole.size() - 1));
  EXPECT_EQ(run(restore(store_, file_)).error().code, Code::kDataLoss);
  EXPECT_TRUE(all(store_).empty());
}

TEST_F(BackupTest, OneThatWasCutShortIsSaidAndDoneAgain) {
  store::Transaction transaction;
  transaction.put("cluster/restoring", "1");
  transaction.put("spec/Stack//half", "h");
  ASSERT_TRUE(run(store_.commit(std::move(transaction))));
  const auto refused = run(check_restored(store_));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("orchion restore"), std::string::npos);
  put(written({{"spec/Stack//web", "s"}}));
  ASSERT_TRUE(run(restore(store_, file_)));
  EXPECT_EQ(all(store_), (std::map<std::string, std::string>{{"spec/Stack//web", "s"}}));
}

}  // namespace
}  // namespace orchion::control::backup
