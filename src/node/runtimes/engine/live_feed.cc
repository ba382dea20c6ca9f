#include "node/runtimes/engine/live_feed.h"

#include <algorithm>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/timeout.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;

constexpr std::size_t kKeptBytesMax = 4 << 20;
constexpr base::Duration kReaderPatience = std::chrono::seconds(5);

std::size_t size_of(const ExecOutput& output) {
  return output.out ? output.out->size() : output.error.value_or("").size();
}

}  // namespace

class FeedOutput final : public attach::AttachOutput {
 public:
  explicit FeedOutput(std::shared_ptr<LiveFeed> feed) : feed_(std::move(feed)), next_(feed_->first_) {
    feed_->readers_.insert(this);
  }
  ~FeedOutput() override {
    feed_->readers_.erase(this);
    feed_->changed_.notify();
  }

  Co<std::optional<ExecOutput>> next() override {
    const auto feed = feed_;
    while (next_ == feed->first_ + feed->kept_.size()) {
      if (feed->ended_) co_return std::optional<ExecOutput>();
      CO_RETURN_IF_ERROR(co_await feed->changed_.wait());
    }
    if (next_ < feed->first_) co_return std::unexpected(attach::output_lost());
    ExecOutput output = feed->kept_[next_ - feed->first_];
    ++next_;
    feed->changed_.notify();
    co_return std::optional<ExecOutput>(std::move(output));
  }

  // The engine ends the stream with the container.
  void finish() override {}

  std::uint64_t at() const { return next_; }

 private:
  std::shared_ptr<LiveFeed> feed_;
  std::uint64_t next_;
};

LiveFeed::LiveFeed(base::Executor executor, base::Clock& clock, std::uint32_t attempt,
                   std::unique_ptr<wire::RawStream> stream, bool tty)
    : clock_(clock), attempt_(attempt), stream_(std::move(stream)), tty_(tty), changed_(std::move(executor)) {}

std::shared_ptr<LiveFeed> LiveFeed::begin(base::Executor executor, base::Clock& clock, std::uint32_t attempt,
                                          std::vector<ExecOutput> written, std::unique_ptr<wire::RawStream> stream,
                                          bool tty) {
  auto feed = std::make_shared<LiveFeed>(executor, clock, attempt, std::move(stream), tty);
  for (auto& output : written) feed->keep(std::move(output));
  auto ended = [feed](std::exception_ptr, Result<>) {
    feed->ended_ = true;
    feed->stream_.reset();
    feed->changed_.notify();
  };
  boost::asio::co_spawn(executor, feed->run(), boost::asio::bind_cancellation_slot(feed->cancel_.slot(), ended));
  return feed;
}

void LiveFeed::stop() {
  if (ended_) return;
  cancel_.emit(boost::asio::cancellation_type::terminal);
  // Outside of the loop that only queues the cancellation, which is the signal's own memory.
  boost::asio::post(changed_.executor(), [self = shared_from_this()] {});
}

std::unique_ptr<attach::AttachOutput> LiveFeed::open_output() {
  return std::make_unique<FeedOutput>(shared_from_this());
}

std::uint64_t LiveFeed::slowest() const {
  auto slowest = first_ + kept_.size();
  for (const auto* reader : readers_) slowest = std::min(slowest, reader->at());
  return slowest;
}

void LiveFeed::keep(ExecOutput output) {
  kept_bytes_ += size_of(output);
  kept_.push_back(std::move(output));
  while (kept_bytes_ > kKeptBytesMax && kept_.size() > 1) drop_oldest();
  changed_.notify();
}

void LiveFeed::drop_oldest() {
  kept_bytes_ -= size_of(kept_.front());
  kept_.pop_front();
  ++first_;
}

// Waits for readers that are far behind, as long as the last of them gets on; one that doesn't loses the oldest.
Co<> LiveFeed::make_room() {
  while (kept_bytes_ > kKeptBytesMax / 2) {
    const auto before = slowest();
    // Those that lost something already are told so when they ask.
    if (before < first_ || before > first_ + kept_.size() / 2) co_return Result<>{};
    const auto woken = co_await base::with_timeout(clock_, kReaderPatience, "a reader", changed_.wait());
    if (!woken && woken.error().code != Code::kDeadlineExceeded) co_return std::unexpected(woken.error());
    if (!woken && slowest() == before) {
      while (first_ <= before && kept_.size() > 1) drop_oldest();
    }
  }
  co_return Result<>{};
}

Co<> LiveFeed::run() {
  const auto self = shared_from_this();
  FrameReader frames;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await stream_->read());
    if (!piece) co_return Result<>{};
    if (tty_) {
      ExecOutput output;
      output.out = *std::move(piece);
      keep(std::move(output));
    } else {
      frames.put(*piece);
      while (auto output = frames.next()) keep(*std::move(output));
    }
    CO_RETURN_IF_ERROR(co_await make_room());
  }
}

}  // namespace orchion::node::runtimes::engine
