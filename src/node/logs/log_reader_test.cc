#include "node/logs/log_reader.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/file.h"
#include "base/random.h"
#include "node/logs/log_tail.h"
#include "node/logs/segment_file.h"
#include "node/logs/segment_writer.h"

namespace orchion::node::logs {
namespace {

using Texts = std::vector<std::string>;
constexpr auto kOut = OutputStream::kOut;
constexpr auto kError = OutputStream::kError;

base::WallTime at(std::int64_t ns) {
  return base::WallTime(base::Duration(ns));
}

base::Co<std::vector<Line>> read_all(LogReader& reader) {
  std::vector<Line> lines;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto batch, co_await reader.next_batch());
    if (batch.empty()) co_return lines;
    for (std::size_t i = 0; i < batch.size(); ++i) lines.push_back(Line::of(batch[i]));
  }
}

Texts texts_of(const Lines& lines) {
  Texts result;
  for (std::size_t i = 0; i < lines.size(); ++i) result.emplace_back(lines[i].text);
  return result;
}

class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() { std::filesystem::create_directories(folder_); }
  ~LogReaderTest() override { (void)base::remove_tree(folder_); }

  std::unique_ptr<LogReader> open(LogOptions options = {}) {
    auto reader = LogReader::open(io_.get_executor(), clock_, folder_, std::move(options));
    if (!reader) throw std::runtime_error(reader.error().message);
    return *std::move(reader);
  }

  SegmentWriter writer(SegmentWriterOptions options = {}) {
    auto opened = SegmentWriter::open(folder_, options);
    if (!opened) throw std::runtime_error(opened.error().message);
    return *std::move(opened);
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    auto future = boost::asio::co_spawn(io_, std::move(coroutine), boost::asio::use_future);
    io_.restart();
    const auto guard = boost::asio::make_work_guard(io_);
    while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io_.run_one();
    return future.get();
  }

  Texts read(LogOptions options = {}) {
    const auto reader = open(std::move(options));
    Texts result;
    const auto lines = run(read_all(*reader));
    EXPECT_TRUE(lines.has_value()) << lines.error().message;
    for (const auto& line : lines.value_or(std::vector<Line>())) result.push_back(line.text);
    return result;
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("orchion-logs-" + base::Random::from_system().text(10));
  boost::asio::io_context io_;
  base::SystemClock clock_;
};

TEST_F(LogReaderTest, ReadsWhatWasWrittenAcrossSegments) {
  auto out = writer({.segment_bytes = 200});
  Texts expected;
  for (int i = 0; i < 100; ++i) {
    const auto text = "line " + std::to_string(i);
    // In pieces, so that lines span segments.
    ASSERT_TRUE(out.append(kOut, text.substr(0, 3), at(i), 1).has_value());
    ASSERT_TRUE(out.append(kOut, text.substr(3) + "\n", at(i), 1).has_value());
    expected.push_back(text);
  }
  ASSERT_TRUE(out.append(kError, "unfinished", at(100), 1).has_value());
  expected.push_back("unfinished");
  EXPECT_GT(list_segments(folder_).value().size(), 5u);
  EXPECT_EQ(read(), expected);
}

TEST_F(LogReaderTest, SaysWhereNothingIsKept) {
  EXPECT_EQ(read(), Texts{}) << "an empty folder is an empty log";
  const auto missing = LogReader::open(io_.get_executor(), clock_, folder_ / "missing", {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
}

TEST_F(LogReaderTest, ChoosesByTimeAndPattern) {
  auto out = writer({.segment_bytes = 300});
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(out.append(kOut, "n" + std::to_string(i) + "\n", at(i * 10), 1).has_value());
  EXPECT_EQ(read({.lines = {.since = at(970)}}), (Texts{"n97", "n98", "n99"}));
  EXPECT_EQ(read({.lines = {.until = at(30)}}), (Texts{"n0", "n1", "n2"}));
  EXPECT_EQ(read({.lines = {.since = at(500), .until = at(520)}}), (Texts{"n50", "n51"}));
  EXPECT_EQ(read({.lines = {.grep = "^n.7$"}}).size(), 9u);
  EXPECT_EQ(read({.lines = {.since = at(500), .grep = "5"}, .tail = 2}), (Texts{"n85", "n95"}));
}

TEST_F(LogReaderTest, FindsTimesAlsoWhereTheClockWasTurnedBack) {
  auto out = writer({.segment_bytes = 100});
  for (const int time : {100, 101, 102, 103, 10, 11, 12, 13, 120, 121, 122, 123})
    ASSERT_TRUE(out.append(kOut, "t" + std::to_string(time) + "\n", at(time), 1).has_value());
  EXPECT_EQ(read({.lines = {.since = at(102)}}), (Texts{"t102", "t103", "t120", "t121", "t122", "t123"}));
}

TEST_F(LogReaderTest, TailsTheSameAsReadingAllAndKeepingTheEnd) {
  base::Random random(11);
  auto out = writer({.segment_bytes = 500});
  for (int i = 0; i < 400; ++i) {
    std::string payload;
    for (auto n = random.below(60); n > 0; --n)
      payload += random.below(8) == 0 ? '\n' : static_cast<char>('a' + random.below(26));
    const auto stream = random.below(3) == 0 ? kError : kOut;
    ASSERT_TRUE(out.append(stream, payload, at(i), static_cast<std::uint16_t>(1 + i / 150)).has_value());
  }
  for (const std::string grep : {"", "x", "^a", "zz"}) {
    const auto all = read({.lines = {.grep = grep}});
    for (const std::int64_t count : {0, 1, 2, 7, 50, 100'000}) {
      const auto keep = std::min<std::size_t>(all.size(), static_cast<std::size_t>(count));
      EXPECT_EQ(read({.lines = {.grep = grep}, .tail = count}),
                Texts(all.end() - static_cast<std::ptrdiff_t>(keep), all.end()))
          << count << " of " << grep;
    }
  }
}

TEST_F(LogReaderTest, TailReadsOnlyTheEndOfALongLog) {
  auto out = writer({.segment_bytes = 1 << 20});
  const std::string line(999, 'x');
  for (int i = 0; i < 8000; ++i) ASSERT_TRUE(out.append(kOut, line + "\n", at(i), 1).has_value());
  // Damaged beyond reading: found out only by who reads it.
  std::filesystem::remove(segment_path(folder_, 1));
  std::filesystem::create_directory(segment_path(folder_, 1));
  EXPECT_EQ(read({.tail = 10}).size(), 10u);
  const auto reader = open();
  EXPECT_FALSE(run(read_all(*reader)).has_value());
}

TEST_F(LogReaderTest, KeepsTheOldestOutAndTheRestWhole) {
  auto out = writer({.bytes_max = 5000, .segment_bytes = 1000});
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(out.append(kOut, "n" + std::to_string(i) + "\n", at(i), 1).has_value());
  std::uintmax_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) total += entry.file_size();
  EXPECT_LE(total, 5000u);
  EXPECT_GT(total, 3000u);
  const auto texts = read();
  EXPECT_EQ(texts.back(), "n999");
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(texts[i], "n" + std::to_string(1000 - texts.size() + i)) << "no gaps";
}

TEST_F(LogReaderTest, GoesOnAfterHalfARecordAndGarbage) {
  {
    auto out = writer();
    ASSERT_TRUE(out.append(kOut, "before\n", at(1), 1).has_value());
    ASSERT_TRUE(out.append(kOut, "cut off by a kill\n", at(2), 1).has_value());
  }
  const auto first = segment_path(folder_, 1);
  std::filesystem::resize_file(first, std::filesystem::file_size(first) - 5);
  {
    auto out = writer();
    ASSERT_TRUE(out.append(kOut, "after\n", at(3), 2).has_value());
  }
  const auto second = segment_path(folder_, 2);
  const auto content = base::read_file(second).value();
  ASSERT_TRUE(base::write_file(second, "garbage, ROL and ROL1 too" + std::string(30, '\xff') + content).has_value());
  EXPECT_EQ(read(), (Texts{"before", "after"}));
}

// Follows until told to stop, while another thread writes, rotates and removes.
TEST_F(LogReaderTest, FollowsThroughRotationWithoutLosingALine) {
  constexpr int kLines = 20'000;
  auto out = writer({.bytes_max = 1 << 30, .segment_bytes = 4000});
  const auto reader = open({.follow = true});
  std::atomic<bool> written = false;
  std::thread thread([&] {
    for (int i = 0; i < kLines; ++i) (void)out.append(i % 3 == 0 ? kError : kOut, std::to_string(i) + "\n", at(i), 1);
    written = true;
    boost::asio::post(io_, [&] { reader->stop_following(); });
  });
  const auto lines = run(read_all(*reader));
  thread.join();
  EXPECT_TRUE(written);
  ASSERT_TRUE(lines.has_value()) << lines.error().message;
  ASSERT_EQ(lines->size(), static_cast<std::size_t>(kLines));
  for (int i = 0; i < kLines; ++i) ASSERT_EQ((*lines)[static_cast<std::size_t>(i)].text, std::to_string(i));
}

TEST_F(LogReaderTest, FollowsFromTheTailOn) {
  auto out = writer({.segment_bytes = 100});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(out.append(kOut, std::to_string(i) + "\n", at(i), 1).has_value());
  ASSERT_TRUE(out.append(kOut, "half ", at(20), 1).has_value());
  const auto reader = open({.tail = 2, .follow = true});
  EXPECT_EQ(texts_of(run(reader->next_batch()).value()), (Texts{"18", "19"}));
  ASSERT_TRUE(out.append(kOut, "and half\n", at(21), 1).has_value());
  EXPECT_EQ(texts_of(run(reader->next_batch()).value()), Texts{"half and half"});
  reader->stop_following();
  EXPECT_TRUE(run(reader->next_batch()).value().empty());
}

TEST_F(LogReaderTest, AFollowerCanAskForWhatIsWrittenWithoutWaiting) {
  auto out = writer({.segment_bytes = 100});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(out.append(kOut, std::to_string(i) + "\n", at(i), 1).has_value());
  ASSERT_TRUE(out.append(kOut, "half ", at(20), 1).has_value());
  const auto reader = open({.follow = true});
  std::size_t count = 0;
  for (auto batch = run(reader->written_batch()).value(); !batch.empty(); batch = run(reader->written_batch()).value())
    count += batch.size();
  EXPECT_EQ(count, 20u);
  ASSERT_TRUE(out.append(kOut, "and half\n", at(21), 1).has_value());
  EXPECT_EQ(texts_of(run(reader->next_batch()).value()), Texts{"half and half"})
      << "what follows begins where that ended";
}

TEST_F(LogReaderTest, WakesAFollowerOnlyWhenThereIsSomething) {
  auto out = writer();
  const auto reader = open({.follow = true});
  Lines lines;
  auto waiting = [](LogReader& r, Lines& result) -> base::Co<> {
    CO_ASSIGN_OR_RETURN(result, co_await r.next_batch());
    co_return base::Result<>{};
  };
  boost::asio::co_spawn(io_, waiting(*reader, lines), boost::asio::detached);
  io_.restart();
  io_.poll();
  EXPECT_TRUE(lines.empty());
  ASSERT_TRUE(out.append(kOut, "now\n", at(1), 1).has_value());
  while (lines.empty()) io_.run_one();
  EXPECT_EQ(texts_of(lines), Texts{"now"});
}

TEST_F(LogReaderTest, EndsAFollowerAtItsTime) {
  auto out = writer();
  ASSERT_TRUE(out.append(kOut, "early\nunfinished", at(1), 1).has_value());
  const auto reader = open({.lines = {.until = clock_.wall() + std::chrono::milliseconds(20)}, .follow = true});
  const auto lines = run(read_all(*reader));
  ASSERT_TRUE(lines.has_value()) << lines.error().message;
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_GE(clock_.wall() - base::WallTime(), base::Duration());
}

TEST_F(LogReaderTest, EndsWhenTheFolderGoes) {
  auto out = writer();
  ASSERT_TRUE(out.append(kOut, "last words\n", at(1), 1).has_value());
  const auto reader = open({.follow = true});
  EXPECT_EQ(texts_of(run(reader->next_batch()).value()), Texts{"last words"});
  ASSERT_TRUE(base::remove_tree(folder_).has_value());
  EXPECT_TRUE(run(reader->next_batch()).value().empty());
}

TEST_F(LogReaderTest, IsCancelledWithItsCaller) {
  const auto out = writer();
  const auto reader = open({.follow = true});
  boost::asio::cancellation_signal signal;
  bool ended = false;
  boost::asio::co_spawn(io_, reader->next_batch(),
                        boost::asio::bind_cancellation_slot(
                            signal.slot(), [&](std::exception_ptr, base::Result<Lines>) { ended = true; }));
  io_.restart();
  io_.poll();
  EXPECT_FALSE(ended);
  signal.emit(boost::asio::cancellation_type::terminal);
  io_.restart();
  io_.poll();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace orchion::node::logs
