#include "control/store/conformance/store_conformance.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace orchion::control::store {

using base::Code;

Revision StoreConformance::put(std::string key, std::string value) {
  Transaction transaction;
  transaction.put(std::move(key), std::move(value));
  const auto revision = run(store().commit(std::move(transaction)));
  EXPECT_TRUE(revision.has_value()) << revision.error().message;
  return revision.value_or(0);
}

std::optional<Entry> StoreConformance::get(std::string key) {
  const auto entry = run(store().get(std::move(key)));
  EXPECT_TRUE(entry.has_value()) << entry.error().message;
  return entry.value_or(std::nullopt);
}

std::unique_ptr<Watch> StoreConformance::watch(Revision after) {
  auto watch = run(store().watch(after));
  EXPECT_TRUE(watch.has_value()) << watch.error().message;
  return watch ? std::move(*watch) : nullptr;
}

Commit StoreConformance::next(Watch& watch) {
  const auto commit = run(watch.next());
  EXPECT_TRUE(commit.has_value()) << commit.error().message;
  return commit.value_or(Commit{});
}

void StoreConformance::expect_commits(Watch& watch, Revision first, Revision last) {
  for (Revision expected = first; expected <= last;) {
    const auto commit = next(watch);
    if (commit.changes.empty() && !testing::Test::HasFailure()) continue;
    ASSERT_EQ(commit.revision, expected);
    ++expected;
  }
}

namespace {

Transaction putting(std::string key, std::string value) {
  Transaction transaction;
  transaction.put(std::move(key), std::move(value));
  return transaction;
}

Transaction expecting(std::string key, Revision revision) {
  Transaction transaction;
  transaction.expect(std::move(key), revision);
  return transaction;
}

base::Co<> note_commits(Watch& watch, std::vector<std::string>& notes) {
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto commit, co_await watch.next());
    if (!commit.changes.empty()) notes.push_back(fmt::format("watched {}", commit.revision));
  }
}

base::Co<> note_answer(Store& store, Transaction transaction, std::vector<std::string>& notes) {
  CO_ASSIGN_OR_RETURN(const auto revision, co_await store.commit(std::move(transaction)));
  notes.push_back(fmt::format("answered {}", revision));
  co_return base::Result<>{};
}

}  // namespace

TEST_P(StoreConformance, BeginsEmptyWithAnEpochOfItsOwn) {
  open();
  EXPECT_EQ(store().revision(), 0u);
  EXPECT_FALSE(store().epoch().empty());
  EXPECT_EQ(get("a"), std::nullopt);
  const std::string epoch = store().epoch();
  open();
  EXPECT_NE(store().epoch(), epoch);
}

TEST_P(StoreConformance, CountsTransactionsThatChangeSomething) {
  open();
  EXPECT_EQ(put("a", "1"), 1u);
  EXPECT_EQ(put("b", "1"), 2u);
  EXPECT_EQ(put("a", "1"), 3u) << "the same value again is a change";
  EXPECT_EQ(get("a"), (Entry{"a", "1", 3, 1}));

  Transaction nothing;
  nothing.remove("absent");
  EXPECT_EQ(run(store().commit(nothing)), base::Result<Revision>(3));
  EXPECT_EQ(run(store().commit({})), base::Result<Revision>(3));

  Transaction removal;
  removal.remove("a");
  EXPECT_EQ(run(store().commit(removal)), base::Result<Revision>(4));
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(put("a", "2"), 5u);
  EXPECT_EQ(get("a"), (Entry{"a", "2", 5, 5})) << "created anew";
  EXPECT_EQ(store().revision(), 5u);
}

TEST_P(StoreConformance, KeepsKeysAndValuesToTheByte) {
  open();
  const std::string value("\0\xff\n\xc3 bytes", 10);
  put("spec/Image//docker.io/library/nginx:1.27", value);
  put("caf\xc3\xa9", "");
  EXPECT_EQ(get("spec/Image//docker.io/library/nginx:1.27")->value, value);
  EXPECT_EQ(get("caf\xc3\xa9")->value, "");
  EXPECT_EQ(get("CAF\xc3\xa9"), std::nullopt);
}

TEST_P(StoreConformance, DoesNothingWhereAPreconditionFails) {
  open();
  put("a", "1");
  put("b", "1");
  auto stale = expecting("a", 1);
  stale.expect("b", 1);
  stale.put("a", "stale");
  stale.put("c", "stale");
  EXPECT_EQ(run(store().commit(stale)).error().code, Code::kAborted);
  auto exists = expecting("a", 0);
  exists.put("a", "stale");
  EXPECT_EQ(run(store().commit(exists)).error().code, Code::kAborted);
  auto absent = expecting("c", 7);
  absent.put("c", "stale");
  EXPECT_EQ(run(store().commit(absent)).error().code, Code::kAborted);

  EXPECT_EQ(store().revision(), 2u);
  EXPECT_EQ(get("a")->value, "1");
  EXPECT_EQ(get("c"), std::nullopt);

  auto good = expecting("a", 1);
  good.expect("c", 0);
  good.put("a", "2");
  EXPECT_EQ(run(store().commit(good)), base::Result<Revision>(3));
}

TEST_P(StoreConformance, OnlyChecksWithoutOperations) {
  open();
  put("a", "1");
  EXPECT_EQ(run(store().commit(expecting("a", 1))), base::Result<Revision>(1));
  EXPECT_EQ(run(store().commit(expecting("a", 0))).error().code, Code::kAborted);
}

TEST_P(StoreConformance, TellsAWriteFromARemovalInBetween) {
  open();
  put("a", "1");
  put("a", "2");
  Transaction kept;
  kept.expect_kept("a", 1);
  kept.put("a.status", "x");
  EXPECT_TRUE(run(store().commit(kept)).has_value()) << "written to, never removed";
  Transaction removal;
  removal.remove("a");
  run(store().commit(removal)).value();
  EXPECT_EQ(run(store().commit(kept)).error().code, Code::kAborted);
  put("a", "another");
  EXPECT_EQ(run(store().commit(kept)).error().code, Code::kAborted) << "another entry of the same name";
}

TEST_P(StoreConformance, TakesATransactionAtItsLimitsAndNoneBeyond) {
  open();
  Transaction most;
  for (std::size_t i = 0; i < kOperationsMax; ++i) {
    most.expect(fmt::format("k{}", i), 0);
    most.put(fmt::format("k{}", i), "v");
  }
  EXPECT_EQ(run(store().commit(most)), base::Result<Revision>(1));
  Transaction too_many;
  for (std::size_t i = 0; i <= kOperationsMax; ++i) too_many.put(fmt::format("k{}", i), "v");
  EXPECT_EQ(run(store().commit(too_many)).error().code, Code::kInvalidArgument);

  EXPECT_EQ(put("big", std::string(kTransactionBytesMax - 3, 'x')), 2u);
  EXPECT_EQ(run(store().commit(putting("big", std::string(kTransactionBytesMax - 2, 'x')))).error().code,
            Code::kInvalidArgument);
  auto twice = putting("a", "1");
  twice.remove("a");
  EXPECT_EQ(run(store().commit(twice)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(run(store().commit(putting("", "1"))).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store().revision(), 2u);
}

TEST_P(StoreConformance, ListsAPrefixInOrderWithItsRevision) {
  open();
  put("b/2", "2");
  put("b/1", "1");
  put("a", "0");
  put("b0", "no");
  put("b/\xff", "last");
  put("c", "no");
  const auto listed = run(store().list("b/")).value();
  EXPECT_EQ(listed.revision, 6u);
  EXPECT_EQ(listed.entries, (std::vector<Entry>{{"b/1", "1", 2, 2}, {"b/2", "2", 1, 1}, {"b/\xff", "last", 5, 5}}));
  EXPECT_EQ(run(store().list("")).value().entries.size(), 6u);
  EXPECT_TRUE(run(store().list("d")).value().entries.empty());
}

TEST_P(StoreConformance, WatchDeliversWholeCommitsFromThePastOn) {
  open();
  put("a", "1");
  put("b", "1");
  auto both = putting("a", "2");
  both.remove("b");
  both.remove("absent");
  run(store().commit(both)).value();

  auto watch = this->watch(1);
  EXPECT_EQ(next(*watch).revision, 2u);
  const auto commit = next(*watch);
  EXPECT_EQ(commit.revision, 3u);
  ASSERT_EQ(commit.changes.size(), 2u) << "what wasn't there didn't change";
  EXPECT_EQ(commit.changes[0].key, "a");
  EXPECT_EQ(commit.changes[0].value, "2");
  EXPECT_EQ(commit.changes[1].key, "b");
  EXPECT_EQ(commit.changes[1].value, std::nullopt);

  const auto bookmark = next(*watch);
  EXPECT_TRUE(bookmark.changes.empty()) << "caught up";
  EXPECT_EQ(bookmark.revision, 3u);
  const auto waiting = loop_.start(watch->next());
  put("c", "1");
  EXPECT_EQ(loop_.wait(waiting).value().revision, 4u);
}

TEST_P(StoreConformance, WatchesHaveNoGapBetweenPastAndPresent) {
  open();
  std::vector<Outcome<Revision>> commits;
  for (int i = 0; i < 100; ++i) commits.push_back(loop_.start(store().commit(putting(fmt::format("k{}", i), "v"))));
  loop_.wait(commits[20]).value();
  const Revision begin = store().revision();
  auto watch = this->watch(0);
  auto late = this->watch(begin);
  for (const auto& commit : commits) loop_.wait(commit).value();
  expect_commits(*watch, 1, 100);
  expect_commits(*late, begin + 1, 100);
}

TEST_P(StoreConformance, WatchesHaveACommitBeforeItsCaller) {
  open();
  std::vector<std::string> notes;
  auto watch = this->watch(0);
  boost::asio::cancellation_signal stop;
  const auto watching = loop_.start(note_commits(*watch, notes), &stop);
  std::vector<Outcome<void>> answers;
  for (int i = 0; i < 30; ++i) {
    answers.push_back(loop_.start(note_answer(store(), putting(fmt::format("k{}", i), "v"), notes)));
  }
  for (const auto& answer : answers) loop_.wait(answer).value();
  for (Revision revision = 1; revision <= 30; ++revision) {
    const auto watched = std::ranges::find(notes, fmt::format("watched {}", revision));
    const auto answered = std::ranges::find(notes, fmt::format("answered {}", revision));
    ASSERT_NE(answered, notes.end()) << revision;
    EXPECT_LT(watched, answered) << revision;
  }
  stop.emit(boost::asio::cancellation_type::all);
  EXPECT_EQ(loop_.wait(watching).error().code, Code::kCancelled);
}

TEST_P(StoreConformance, ASlowWatchIsToldToListAgain) {
  open({.commits = 5, .bytes = 1u << 20});
  auto slow = watch(0);
  for (int i = 0; i < 200; ++i) put("k", "v");
  EXPECT_EQ(run(slow->next()).error().code, Code::kOutOfRange);
  EXPECT_EQ(run(slow->next()).error().code, Code::kOutOfRange) << "and stays so";
  auto recent = watch(198);
  EXPECT_EQ(next(*recent).revision, 199u);
}

TEST_P(StoreConformance, HistoryIsBoundedInBytesToo) {
  open({.commits = 1000, .bytes = 10'000});
  auto slow = watch(0);
  for (int i = 0; i < 100; ++i) put("k", std::string(3000, 'x'));
  EXPECT_EQ(run(slow->next()).error().code, Code::kOutOfRange);
  EXPECT_EQ(next(*watch(99)).revision, 100u);
}

TEST_P(StoreConformance, NoWatchFromARevisionThatNeverWas) {
  open();
  put("a", "1");
  EXPECT_EQ(run(store().watch(2)).error().code, Code::kOutOfRange);
}

TEST_P(StoreConformance, TogetherEachKeepsItsOwnVerdictAndRevision) {
  open();
  auto watch = this->watch(0);
  std::vector<Outcome<Revision>> rivals;
  std::vector<Outcome<Revision>> others;
  for (int i = 0; i < 20; ++i) {
    auto rival = expecting("prize", 0);
    rival.put("prize", std::to_string(i));
    rival.put(fmt::format("rival{}", i), "won");
    rivals.push_back(loop_.start(store().commit(rival)));
    others.push_back(loop_.start(store().commit(putting(fmt::format("other{}", i), "v"))));
  }
  std::set<Revision> revisions;
  int won = 0;
  for (int i = 0; i < 20; ++i) {
    const auto rival = loop_.wait(rivals[static_cast<std::size_t>(i)]);
    EXPECT_EQ(get(fmt::format("rival{}", i)).has_value(), rival.has_value());
    if (rival) {
      ++won;
      revisions.insert(*rival);
      EXPECT_EQ(get("prize")->value, std::to_string(i));
    } else {
      EXPECT_EQ(rival.error().code, Code::kAborted);
    }
    revisions.insert(loop_.wait(others[static_cast<std::size_t>(i)]).value());
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(revisions.size(), 21u) << "no revision twice";
  EXPECT_EQ(*revisions.rbegin(), 21u) << "none left out";
  expect_commits(*watch, 1, 21);
}

TEST_P(StoreConformance, ACancelledCallerDoesNotUndoItsCommit) {
  open();
  auto watch = this->watch(0);
  boost::asio::cancellation_signal cancel;
  const auto cancelled = loop_.start(store().commit(putting("a", "1")), &cancel);
  loop_.step();  // the coroutine begins and comes to its first wait
  cancel.emit(boost::asio::cancellation_type::all);
  EXPECT_EQ(loop_.wait(cancelled).error().code, Code::kCancelled);
  put("b", "1");
  expect_commits(*watch, 1, 2);  // which is which is the store's business: nobody waited for the first
  EXPECT_EQ(get("a")->value, "1");
}

TEST_P(StoreConformance, AClosedStoreEndsItsWatches) {
  open();
  auto watch = this->watch(0);
  EXPECT_TRUE(next(*watch).changes.empty());
  const auto waiting = loop_.start(watch->next());
  loop_.poll();
  store_.reset();
  EXPECT_EQ(loop_.wait(waiting).error().code, Code::kUnavailable);
  EXPECT_EQ(run(watch->next()).error().code, Code::kUnavailable);
}

}  // namespace orchion::control::store
