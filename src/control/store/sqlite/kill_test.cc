// Kills a writing process with SIGKILL at random moments, again and again on one database, and looks whether every
// acknowledged transaction is there, none is half there, and no revision was given twice.
// ORCHION_KILLS=N kills N times (20 without it).

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "control/store/conformance/test_folder.h"
#include "control/store/conformance/test_loop.h"
#include "control/store/sqlite/sqlite_store.h"

namespace orchion::control::store {
namespace {

constexpr int kWritersAtOnce = 8;
constexpr int kKeysOfOneTransaction = 3;

// Transaction N of round R writes "R/N/0" … "R/N/2" with the same value, and the key they all count in.
std::string key_of(int round, int number, int part) {
  return fmt::format("{}/{}/{}", round, number, part);
}

Transaction transaction_of(int round, int number) {
  Transaction transaction;
  // Some are several pages long, so that a kill also finds a commit half written.
  const std::string value(static_cast<std::size_t>(50 + number % 11 * 900), static_cast<char>('a' + number % 26));
  for (int part = 0; part < kKeysOfOneTransaction; ++part) transaction.put(key_of(round, number, part), value);
  transaction.put(fmt::format("newest/{}", number % kWritersAtOnce), key_of(round, number, 0));
  return transaction;
}

// One line in one write(): the parent sees all of it or nothing.
void acknowledge(Revision revision, int number) {
  const std::string line = fmt::format("{} {}\n", revision, number);
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
}

base::Co<> write_for_ever(Store& store, int round, int number) {
  for (;; number += kWritersAtOnce) {
    CO_ASSIGN_OR_RETURN(const auto revision, co_await store.commit(transaction_of(round, number)));
    acknowledge(revision, number);
  }
}

// The child: writes until it is killed.
int run_writer(const char* path, int round) {
  TestLoop loop;
  auto store = SqliteStore::open(loop.executor(), path);
  if (!store) {
    fmt::print(stderr, "{}\n", store.error().message);
    return 1;
  }
  std::vector<Outcome<void>> writers;
  for (int i = 0; i < kWritersAtOnce; ++i) writers.push_back(loop.start(write_for_ever(**store, round, i)));
  const auto ended = loop.wait(writers[0]);
  fmt::print(stderr, "{}\n", ended.error().message);
  return 1;
}

class Child {
 public:
  Child(const std::string& path, int round) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    output_.reset(ends[0]);
    const base::UniqueFd input(ends[1]);
    const std::string number = std::to_string(round);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::dup2(input.get(), STDOUT_FILENO);
    ::execl("/proc/self/exe", "store_writer", "--write-store", path.c_str(), number.c_str(), nullptr);
    ::_exit(127);
  }
  ~Child() { kill(); }

  // Returns when the child is gone.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

  int output() const { return output_.get(); }

 private:
  base::UniqueFd output_;
  pid_t pid_ = -1;
};

// Appends what comes from `fd` within `limit`; false at its end.
bool read_more(int fd, std::string& text, std::chrono::microseconds limit) {
  pollfd waiting{fd, POLLIN, 0};
  const timespec time{limit.count() / 1'000'000, limit.count() % 1'000'000 * 1000};
  if (::ppoll(&waiting, 1, &time, nullptr) <= 0) return true;
  char buffer[1 << 16];
  const auto count = ::read(fd, buffer, sizeof buffer);
  if (count <= 0) return false;
  text.append(buffer, static_cast<std::size_t>(count));
  return true;
}

using Acknowledged = std::map<int, Revision>;  // number → revision

// When the child is killed: while it opens the database, perhaps, or surely among its writes.
enum class Moment { kFromTheStart, kAfterTheFirstWrite };

// What the child acknowledged until it was killed.
Acknowledged write_and_kill(const std::string& path, int round, Moment moment, base::Random& random) {
  Child child(path, round);
  std::string text;
  while (moment == Moment::kAfterTheFirstWrite && text.empty() &&
         read_more(child.output(), text, std::chrono::seconds(10))) {
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random.below(40'000));
  for (auto now = std::chrono::steady_clock::now(); now < until; now = std::chrono::steady_clock::now()) {
    read_more(child.output(), text, std::chrono::duration_cast<std::chrono::microseconds>(until - now));
  }
  child.kill();
  while (read_more(child.output(), text, std::chrono::seconds(10))) {
  }
  Acknowledged acknowledged;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    unsigned long revision = 0;
    int number = 0;
    EXPECT_EQ(std::sscanf(text.c_str() + begin, "%lu %d", &revision, &number), 2);
    acknowledged[number] = revision;
  }
  return acknowledged;
}

// The transactions of a round as the store has them: number → its entries.
std::map<int, std::vector<Entry>> read_round(TestLoop& loop, Store& store, int round) {
  std::map<int, std::vector<Entry>> result;
  const std::string prefix = fmt::format("{}/", round);
  const auto listed = loop.run(store.list(prefix)).value();
  for (const auto& entry : listed.entries) result[std::atoi(entry.key.c_str() + prefix.size())].push_back(entry);
  return result;
}

// Of the transactions of `round`, the first of which came after `last`.
void check_round(TestLoop& loop, Store& store, int round, const Acknowledged& acknowledged, Revision last) {
  const auto found = read_round(loop, store, round);
  for (const auto& [number, revision] : acknowledged) {
    ASSERT_TRUE(found.contains(number)) << "round " << round << " lost transaction " << number;
    EXPECT_EQ(found.at(number).front().revision, revision);
    EXPECT_GT(revision, last) << "a revision was given twice";
    EXPECT_LE(revision, store.revision());
  }
  for (const auto& [number, entries] : found) {
    ASSERT_EQ(entries.size(), static_cast<std::size_t>(kKeysOfOneTransaction)) << "transaction " << number;
    for (const auto& entry : entries) {
      EXPECT_EQ(entry.revision, entries.front().revision);
      EXPECT_EQ(entry.value, transaction_of(round, number).operations.front().value);
    }
  }
  EXPECT_EQ(store.revision() - last, found.size()) << "each made one revision";
}

void check_history(TestLoop& loop, Store& store, Revision last) {
  auto watch = loop.run(store.watch(last)).value();
  for (Revision revision = last + 1; revision <= store.revision(); ++revision) {
    const auto commit = loop.run(watch->next()).value();
    ASSERT_EQ(commit.revision, revision);
    ASSERT_EQ(commit.changes.size(), static_cast<std::size_t>(kKeysOfOneTransaction + 1));
  }
}

TEST(Kill, LosesNothingThatWasAcknowledged) {
  const char* const wanted = std::getenv("ORCHION_KILLS");
  const int kills = wanted ? std::atoi(wanted) : 20;
  auto random = base::Random::from_system();
  const TestFolder folder;
  const std::string path = folder.path() / "store.db";
  std::size_t acknowledged_in_all = 0;
  Revision last = 0;
  std::string epoch;
  for (int round = 1; round <= kills && !HasFatalFailure(); ++round) {
    const auto moment = round % 4 == 1 ? Moment::kFromTheStart : Moment::kAfterTheFirstWrite;
    const auto acknowledged = write_and_kill(path, round, moment, random);
    ASSERT_EQ(acknowledged.empty() && moment == Moment::kAfterTheFirstWrite, false) << "the writer said nothing";
    acknowledged_in_all += acknowledged.size();

    TestLoop loop;
    auto opened = SqliteStore::open(loop.executor(), path);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Store& store = **opened;
    if (epoch.empty()) epoch = store.epoch();
    EXPECT_EQ(store.epoch(), epoch);
    check_round(loop, store, round, acknowledged, last);
    check_history(loop, store, last);
    last = store.revision();
  }
  fmt::print("{} kills, {} acknowledged transactions, {} made\n", kills, acknowledged_in_all, last);
}

}  // namespace
}  // namespace orchion::control::store

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--write-store") == 0) {
    return orchion::control::store::run_writer(argv[2], std::atoi(argv[3]));
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
