// Against a real etcd of three members: what every store does, and what becomes of it when members go.

#include "control/store/etcd/etcd_store.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/asio/io_context.hpp>

#include "control/store/conformance/store_conformance.h"
#include "control/store/etcd/etcd_lab.h"
#include "control/store/etcd/lossy_proxy.h"

namespace orchion::control::store {
namespace {

using base::Code;
using Guard = EtcdLab::Guard;

std::string new_prefix() {
  static int count = 0;
  return fmt::format("/test{}", ++count);
}

base::Result<std::unique_ptr<EtcdStore>> open_on(TestLoop& loop, EtcdStoreOptions options) {
  if (options.writer.empty()) options.writer = "w";
  return loop.run(EtcdStore::open(loop.executor(), std::move(options)));
}

// --- what every store must do ---

// One etcd for all tests of a kind: each store has a prefix of its own.
EtcdLab& shared_lab(Guard guard) {
  static std::map<Guard, std::unique_ptr<EtcdLab>> labs;
  auto& lab = labs[guard];
  if (!lab) lab = std::make_unique<EtcdLab>(guard);
  return *lab;
}

class EtcdStoreFactory final : public StoreFactory {
 public:
  explicit EtcdStoreFactory(Guard guard) : lab_(shared_lab(guard)) {}

  std::unique_ptr<Store> open(base::Executor executor, HistoryLimits history) override {
    auto& io = static_cast<boost::asio::io_context&>(boost::asio::query(executor, boost::asio::execution::context));
    std::optional<base::Result<std::unique_ptr<EtcdStore>>> opened;
    boost::asio::co_spawn(
        io,
        EtcdStore::open(executor, {.access = lab_.access(), .prefix = new_prefix(), .writer = "w", .history = history}),
        [&opened](std::exception_ptr, base::Result<std::unique_ptr<EtcdStore>> store) { opened = std::move(store); });
    io.restart();
    while (!opened && io.run_one() > 0) continue;
    EXPECT_TRUE(opened->has_value()) << opened->error().message;
    return std::move(**opened);
  }

 private:
  EtcdLab& lab_;
};

template <Guard kGuard>
std::unique_ptr<StoreFactory> make_factory() {
  return std::make_unique<EtcdStoreFactory>(kGuard);
}

INSTANTIATE_TEST_SUITE_P(Etcd, StoreConformance, testing::Values(make_factory<Guard::kNone>));
INSTANTIATE_TEST_SUITE_P(EtcdWithTlsAndUser, StoreConformance, testing::Values(make_factory<Guard::kTlsAndUser>));

// --- what only etcd does ---

class EtcdStoreTest : public testing::Test {
 protected:
  explicit EtcdStoreTest(Guard guard = Guard::kNone) : lab_(shared_lab(guard)) {}
  ~EtcdStoreTest() override {
    store_.reset();
    for (int i = 0; i < EtcdLab::kMembers; ++i) {
      lab_.thaw(i);
      lab_.start(i);
    }
    lab_.wait_until_ready();
  }

  EtcdStoreOptions options() const {
    return {.access = lab_.access(), .prefix = prefix_, .writer = "w", .compact_every = {}};
  }

  void open() {
    auto opened = open_on(loop_, options());
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
  }

  base::Result<Revision> try_put(Store& store, std::string key, std::string value) {
    Transaction transaction;
    transaction.put(std::move(key), std::move(value));
    return loop_.run(store.commit(std::move(transaction)));
  }
  Revision put(std::string key, std::string value) {
    const auto revision = try_put(*store_, std::move(key), std::move(value));
    EXPECT_TRUE(revision.has_value()) << revision.error().message;
    return revision.value_or(0);
  }

  std::string etcd_key(const std::string& below) const { return prefix_ + "/" + below; }

  TestLoop loop_;
  EtcdLab& lab_;
  const std::string prefix_ = new_prefix();
  std::unique_ptr<EtcdStore> store_;
};

// What a client knows of its writes, and what the watch shows of them: "no lost acknowledged write, no double effect".
class Ledger {
 public:
  // Writes "NUMBER" to the key "k/NUMBER" until told to stop.
  base::Co<> write_until_stopped(Store& store, int writer) {
    for (int i = 0; !stopped_; ++i) {
      const auto number = fmt::format("{}-{}", writer, i);
      Transaction transaction;
      transaction.put("k/" + number, number);
      const auto revision = co_await store.commit(std::move(transaction));
      if (revision) {
        acknowledged_[number] = *revision;
        ++acknowledgements_;
      } else {
        errors_.push_back(revision.error());
      }
    }
    co_return base::Result<>{};
  }
  base::Co<> follow(Watch& watch) {
    for (;;) {
      CO_ASSIGN_OR_RETURN(const auto commit, co_await watch.next());
      if (commit.changes.empty()) continue;
      EXPECT_GT(commit.revision, newest_);
      newest_ = commit.revision;
      for (const auto& change : commit.changes) seen_.emplace(*change.value, commit.revision);
    }
  }
  base::Co<> wait_for(std::size_t acknowledgements) {
    base::SystemClock clock;
    const auto wanted = acknowledgements_ + acknowledgements;
    const auto deadline = clock.now() + std::chrono::seconds(60);
    while (acknowledgements_ < wanted && clock.now() < deadline) {
      CO_RETURN_IF_ERROR(co_await clock.sleep(std::chrono::milliseconds(10)));
    }
    EXPECT_GE(acknowledgements_, wanted) << "writes go on within a minute";
    co_return base::Result<>{};
  }
  void stop() { stopped_ = true; }

  void check() const {
    for (const auto& [number, revision] : acknowledged_) {
      EXPECT_EQ(seen_.count(number), 1u) << number << ": once, neither lost nor done twice";
      const auto seen = seen_.find(number);
      EXPECT_EQ(seen == seen_.end() ? 0 : seen->second, revision) << number;
    }
    for (const auto& [number, revision] : seen_) EXPECT_EQ(seen_.count(number), 1u) << number;
  }
  const std::vector<base::Error>& errors() const { return errors_; }

 private:
  bool stopped_ = false;
  std::size_t acknowledgements_ = 0;
  std::map<std::string, Revision> acknowledged_;
  std::multimap<std::string, Revision> seen_;
  std::vector<base::Error> errors_;
  Revision newest_ = 0;
};

class EtcdFaultTest : public EtcdStoreTest {
 protected:
  void begin_load() {
    open();
    watch_ = std::move(*loop_.run(store_->watch(0)));
    following_ = loop_.start(ledger_.follow(*watch_), &stop_watch_);
    for (int i = 0; i < 8; ++i) writers_.push_back(loop_.start(ledger_.write_until_stopped(*store_, i)));
  }
  void go_on(std::size_t acknowledgements) { loop_.run(ledger_.wait_for(acknowledgements)).value(); }
  // Everything that was acknowledged has been watched before.
  void end_load() {
    ledger_.stop();
    for (const auto& writer : writers_) loop_.wait(writer).value();
    put("last", "last");
    stop_watch_.emit(boost::asio::cancellation_type::all);
    EXPECT_EQ(loop_.wait(following_).error().code, Code::kCancelled);
    ledger_.check();
  }

  Ledger ledger_;
  std::unique_ptr<Watch> watch_;
  boost::asio::cancellation_signal stop_watch_;
  Outcome<void> following_;
  std::vector<Outcome<void>> writers_;
};

TEST_F(EtcdFaultTest, NothingIsLostOrDoneTwiceWhereMembersAreKilled) {
  begin_load();
  go_on(30);
  for (int round = 0; round < 3; ++round) {
    const int leader = lab_.leader();
    lab_.kill(leader);
    go_on(30);
    lab_.start(leader);
    lab_.wait_until_ready();
    go_on(30);
  }
  end_load();
  for (const auto& error : ledger_.errors()) ADD_FAILURE() << "a member less is no error: " << error.message;
}

TEST_F(EtcdFaultTest, NothingIsLostOrDoneTwiceWhereAMemberStandsStill) {
  begin_load();
  for (int member = 0; member < EtcdLab::kMembers; ++member) {
    go_on(20);
    lab_.freeze(member);
    go_on(30);
    lab_.thaw(member);
  }
  end_load();
  for (const auto& error : ledger_.errors()) ADD_FAILURE() << "a member less is no error: " << error.message;
}

TEST_F(EtcdFaultTest, WithoutAMajorityItSaysSoAndGoesOnWhenItIsBack) {
  begin_load();
  go_on(20);
  lab_.kill(0);
  lab_.kill(1);
  const auto refused = try_put(*store_, "without", "a majority");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("etcd takes no writes now"), std::string::npos) << refused.error().message;
  const auto unread = loop_.run(store_->get("k/0-0"));
  ASSERT_FALSE(unread.has_value()) << "a read that may be old is none";
  EXPECT_EQ(unread.error().code, Code::kUnavailable);
  lab_.start(0);
  lab_.start(1);
  go_on(50);
  end_load();
  EXPECT_FALSE(ledger_.errors().empty());
  for (const auto& error : ledger_.errors()) EXPECT_EQ(error.code, Code::kUnavailable) << error.message;
}

TEST_F(EtcdStoreTest, AnAnswerThatGotLostIsSettled) {
  for (const auto loss : {LossyProxy::Loses::kAnswers, LossyProxy::Loses::kQuestions}) {
    LossyProxy proxy(lab_.client_port(0));
    auto through_proxy = options();
    through_proxy.access.endpoints[0] = fmt::format("127.0.0.1:{}", proxy.port());
    auto opened = open_on(loop_, through_proxy);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = std::move(*opened);
    auto watch = loop_.run(store_->watch(store_->revision())).value();
    const auto before = put("a", "before");
    proxy.lose(loss);
    const auto lost = put("a", "lost");
    EXPECT_GT(lost, before);
    const auto after = put("a", "after");
    std::vector<std::string> values;
    for (Revision seen = 0; seen < after;) {
      const auto commit = loop_.run(watch->next()).value();
      seen = commit.revision;
      for (const auto& change : commit.changes) values.push_back(*change.value);
    }
    EXPECT_EQ(values, (std::vector<std::string>{"before", "lost", "after"})) << "once";
    store_.reset();
  }
}

TEST_F(EtcdStoreTest, TwoServersSeeOneHistory) {
  open();
  auto second_options = options();
  second_options.writer = "second";
  auto second = open_on(loop_, second_options).value();
  EXPECT_EQ(second->epoch(), store_->epoch());
  auto watch = loop_.run(store_->watch(0)).value();
  auto second_watch = loop_.run(second->watch(0)).value();
  std::vector<Outcome<Revision>> commits;
  for (int i = 0; i < 40; ++i) {
    Transaction rival;
    rival.expect(fmt::format("prize{}", i / 2), 0);
    rival.put(fmt::format("prize{}", i / 2), std::to_string(i));
    commits.push_back(loop_.start((i % 2 == 0 ? *store_ : *second).commit(std::move(rival))));
  }
  Revision newest = 0;
  std::size_t won = 0;
  for (const auto& outcome : commits) {
    const auto revision = loop_.wait(outcome);
    if (revision) {
      ++won;
    } else {
      EXPECT_EQ(revision.error().code, Code::kAborted) << revision.error().message;
    }
    newest = std::max(newest, revision.value_or(0));
  }
  EXPECT_EQ(won, 20u);
  const auto history_of = [&](Watch& of) {
    std::vector<std::pair<Revision, std::string>> history;
    while (history.empty() || history.back().first < newest) {
      const auto commit = loop_.run(of.next()).value();
      for (const auto& change : commit.changes) history.emplace_back(commit.revision, change.key + *change.value);
    }
    return history;
  };
  EXPECT_EQ(history_of(*watch), history_of(*second_watch));
  EXPECT_EQ(loop_.run(store_->list("")).value().entries, loop_.run(second->list("")).value().entries);

  // What one server acknowledged, a list of another shows, and its watch goes on from there.
  const auto written = put("late", "1");
  const auto listed = loop_.run(second->list("late")).value();
  EXPECT_EQ(listed.revision, written);
  ASSERT_EQ(listed.entries.size(), 1u);
  EXPECT_TRUE(loop_.run(second->watch(listed.revision)).has_value());
}

TEST_F(EtcdStoreTest, KeepsEverythingAcrossARestartAndOtherWritesOnlyLeaveGaps) {
  open();
  const auto epoch = store_->epoch();
  const auto first = put("a", "1");
  store_.reset();
  lab_.control({"put", "/elsewhere" + prefix_, "x"});
  open();
  EXPECT_EQ(store_->epoch(), epoch);
  EXPECT_EQ(store_->revision(), first);
  EXPECT_EQ(loop_.run(store_->get("a")).value(), (Entry{"a", "1", first, first}));
  const auto second = put("a", "2");
  EXPECT_GT(second, first);
  Transaction stale;
  stale.expect("a", first);
  EXPECT_EQ(loop_.run(store_->commit(stale)).error().code, Code::kAborted);
}

TEST_F(EtcdStoreTest, ListsPageByPageAsOfOneRevision) {
  open();
  for (int i = 0; i < 20; ++i) {
    Transaction transaction;
    for (int k = 0; k < 110; ++k) transaction.put(fmt::format("e/{:02}/{:03}", i, k), std::string(100, 'x'));
    loop_.run(store_->commit(std::move(transaction))).value();
  }
  const auto listed = loop_.run(store_->list("e/")).value();
  EXPECT_EQ(listed.entries.size(), 2200u);
  EXPECT_TRUE(std::ranges::is_sorted(listed.entries, {}, &Entry::key));
  EXPECT_EQ(listed.revision, store_->revision());
}

TEST_F(EtcdStoreTest, ATransactionMayKeepAsManyAsItWrites) {
  open();
  Transaction first;
  for (std::size_t i = 0; i < kOperationsMax; ++i) first.put(fmt::format("spec/{}", i), "v");
  const auto since = loop_.run(store_->commit(std::move(first))).value();
  Transaction second;
  for (std::size_t i = 0; i < kOperationsMax; ++i) {
    second.expect_kept(fmt::format("spec/{}", i), since);
    second.put(fmt::format("status/{}", i), "v");
  }
  EXPECT_TRUE(loop_.run(store_->commit(second)).has_value());
  Transaction removal;
  removal.remove("spec/77");
  loop_.run(store_->commit(std::move(removal))).value();
  const auto refused = loop_.run(store_->commit(second));
  EXPECT_EQ(refused.error().code, Code::kAborted);
  EXPECT_NE(refused.error().message.find("spec/77"), std::string::npos) << refused.error().message;
}

TEST_F(EtcdStoreTest, WhatWasCompactedWhileTheWatchWasBrokenIsListedAgain) {
  open();
  put("a", "1");
  auto watch = loop_.run(store_->watch(0)).value();
  EXPECT_EQ(loop_.run(watch->next()).value().revision, 1u);
  // This loop stands still: its store's watch breaks unnoticed, another server writes, and etcd forgets.
  for (int i = 0; i < EtcdLab::kMembers; ++i) lab_.kill(i);
  for (int i = 0; i < EtcdLab::kMembers; ++i) lab_.start(i);
  lab_.wait_until_ready();
  TestLoop other_loop;
  auto other_options = options();
  other_options.writer = "other";
  auto other = open_on(other_loop, other_options).value();
  Transaction transaction;
  transaction.put("b", "1");
  other_loop.run(other->commit(transaction)).value();
  const auto written = other_loop.run(other->commit(transaction)).value();
  const auto raw = lab_.control({"get", etcd_key("entry/b"), "-w", "fields"});
  const auto at = raw.find("\"ModRevision\" : ");
  ASSERT_NE(at, std::string::npos) << raw;
  const auto modified = std::stoll(raw.substr(at + 16));
  lab_.control({"compact", std::to_string(modified)});

  base::Result<Commit> next = loop_.run(watch->next());
  while (next && next->changes.empty()) next = loop_.run(watch->next());
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, Code::kOutOfRange);
  const auto listed = loop_.run(store_->list("")).value();
  EXPECT_EQ(listed.revision, written);
  auto again = loop_.run(store_->watch(listed.revision)).value();
  const auto more = put("c", "1");
  Commit commit;
  while (commit.changes.empty()) commit = loop_.run(again->next()).value();
  EXPECT_EQ(commit.revision, more);
}

TEST_F(EtcdStoreTest, CompactsWhatNoWatchNeeds) {
  auto quick = options();
  quick.compact_every = std::chrono::milliseconds(100);
  store_ = open_on(loop_, quick).value();
  const auto oldest = put("a", "1");
  const auto raw_oldest = [&] {
    const auto raw = lab_.control({"get", etcd_key("entry/a"), "-w", "fields"});
    return std::stoll(raw.substr(raw.find("\"ModRevision\" : ") + 16));
  }();
  EXPECT_EQ(oldest, 1u);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  base::Result<std::string> old = std::string();
  base::SystemClock clock;
  while (old && std::chrono::steady_clock::now() < deadline) {
    put("a", "again");
    loop_.run(clock.sleep(std::chrono::milliseconds(50))).value();
    old = lab_.try_to_control({"get", etcd_key("entry/a"), "--rev", std::to_string(raw_oldest)});
  }
  ASSERT_FALSE(old.has_value()) << "compacted within half a minute";
  EXPECT_NE(old.error().message.find("compacted"), std::string::npos) << old.error().message;
  put("a", "and still goes on");
}

TEST_F(EtcdStoreTest, AnotherEpochEndsThisOne) {
  open();
  put("a", "1");
  auto watch = loop_.run(store_->watch(1)).value();
  lab_.control({"put", etcd_key("epoch"), "orchion 1 another"});
  const auto refused = try_put(*store_, "a", "2");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("replaced"), std::string::npos) << refused.error().message;
  base::Result<Commit> next = loop_.run(watch->next());
  while (next) next = loop_.run(watch->next());
  EXPECT_EQ(next.error().code, Code::kUnavailable);
  open();
  EXPECT_EQ(store_->epoch(), "another");
  EXPECT_EQ(store_->revision(), 0u);
  EXPECT_EQ(put("a", "3"), 1u);
}

TEST_F(EtcdStoreTest, RefusesWhatAnotherProgramWrote) {
  lab_.control({"put", etcd_key("epoch"), "orchion 2 newer"});
  const auto opened = open_on(loop_, options());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kFailedPrecondition);
}

TEST_F(EtcdStoreTest, SaysThatNobodyAnswers) {
  auto nobody = options();
  nobody.access.endpoints = {fmt::format("127.0.0.1:{}", free_port())};
  const auto opened = open_on(loop_, nobody);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kUnavailable);
  EXPECT_NE(opened.error().message.find("etcd doesn't answer"), std::string::npos) << opened.error().message;
}

class EtcdGuardedTest : public EtcdStoreTest {
 protected:
  EtcdGuardedTest() : EtcdStoreTest(Guard::kTlsAndUser) {}
};

TEST_F(EtcdGuardedTest, LogsInAgainWhereItsTokenWasForgotten) {
  open();
  put("a", "1");
  for (int i = 0; i < EtcdLab::kMembers; ++i) lab_.kill(i);  // tokens are in their memory only
  for (int i = 0; i < EtcdLab::kMembers; ++i) lab_.start(i);
  lab_.wait_until_ready();
  put("a", "2");
  EXPECT_EQ(loop_.run(store_->get("a")).value()->value, "2");
}

TEST_F(EtcdGuardedTest, NeitherAWrongPasswordNorAStrangersCertificateGetsIn) {
  auto wrong = options();
  wrong.access.password = "not the password";
  const auto refused = open_on(loop_, wrong);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied) << refused.error().message;
  EXPECT_EQ(refused.error().message.find("not the password"), std::string::npos) << "no secret in a sentence";
  auto stranger = options();
  stranger.access.tls->certificate.clear();
  stranger.access.tls->key.clear();
  EXPECT_FALSE(open_on(loop_, stranger).has_value());
  auto nobody = options();
  nobody.access.user.clear();
  EXPECT_FALSE(open_on(loop_, nobody).has_value());
}

}  // namespace
}  // namespace orchion::control::store
