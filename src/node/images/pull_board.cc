#include "node/images/pull_board.h"

#include <algorithm>

namespace orchion::node::images {

namespace {

// Whoever looks a few times a second sees how a pull ended.
constexpr auto kRemembered = std::chrono::seconds(2);

}  // namespace

struct PullBoard::Entry::Shared {
  struct Record {
    PullState state;
    std::function<std::uint64_t()> measure;
    std::chrono::steady_clock::time_point ended_at;
  };
  std::mutex mutex;  // guards all below
  std::uint64_t last = 0;
  std::map<std::uint64_t, Record> records;

  void forget_old() {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(records, [&](const auto& record) {
      return record.second.state.ended && now - record.second.ended_at > kRemembered;
    });
  }
};

PullBoard::PullBoard() : shared_(std::make_shared<Entry::Shared>()) {}

std::unique_ptr<PullBoard::Entry> PullBoard::begin(std::string reference) {
  const std::lock_guard lock(shared_->mutex);
  shared_->forget_old();
  const auto number = ++shared_->last;
  shared_->records[number].state = {.number = number, .reference = std::move(reference)};
  return std::unique_ptr<Entry>(new Entry(shared_, number));
}

std::vector<PullState> PullBoard::look() {
  const std::lock_guard lock(shared_->mutex);
  shared_->forget_old();
  std::vector<PullState> states;
  for (auto& [number, record] : shared_->records) {
    if (record.measure) record.state.done_bytes = std::min(record.measure(), record.state.total_bytes);
    states.push_back(record.state);
  }
  return states;
}

PullBoard::Entry::~Entry() {
  const std::lock_guard lock(shared_->mutex);
  auto& record = shared_->records[number_];
  record.measure = nullptr;
  record.state.ended = true;
  record.ended_at = std::chrono::steady_clock::now();
}

void PullBoard::Entry::set(std::uint64_t done_bytes, std::uint64_t total_bytes) {
  const std::lock_guard lock(shared_->mutex);
  auto& state = shared_->records[number_].state;
  state.done_bytes = done_bytes;
  state.total_bytes = total_bytes;
}

void PullBoard::Entry::measure(std::uint64_t total_bytes, std::function<std::uint64_t()> measure) {
  const std::lock_guard lock(shared_->mutex);
  auto& record = shared_->records[number_];
  record.state.total_bytes = total_bytes;
  record.measure = std::move(measure);
}

void PullBoard::Entry::complete() {
  const std::lock_guard lock(shared_->mutex);
  auto& record = shared_->records[number_];
  record.measure = nullptr;
  record.state.done_bytes = record.state.total_bytes;
}

}  // namespace orchion::node::images
