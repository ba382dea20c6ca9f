#include <deque>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/runtimes/attach/attach_output.h"

namespace orchion::node::runtimes::attach {

namespace {

using base::Co;
using base::Result;

constexpr std::size_t kPieceBytes = 64 << 10;

class SegmentOutput final : public AttachOutput {
 public:
  SegmentOutput(base::Executor executor, logs::SegmentFollower records, std::uint32_t attempt)
      : executor_(std::move(executor)), records_(std::move(records)), attempt_(static_cast<std::uint16_t>(attempt)) {}

  Result<> watch() { return records_.watch(); }

  Co<std::optional<ExecOutput>> next() override {
    while (ready_.empty()) {
      // Before the look at the files: what is written after it must not be taken for the end.
      const bool following = records_.following();
      CO_ASSIGN_OR_RETURN(const bool more, records_.read_chunk([this](const logs::Record& record) { take(record); }));
      if (records_.fell_behind()) co_return std::unexpected(output_lost());
      if (more) {
        co_await boost::asio::post(executor_, boost::asio::use_awaitable);
      } else if (following) {
        CO_RETURN_IF_ERROR(co_await records_.wait());
      } else {
        co_return std::optional<ExecOutput>();
      }
    }
    std::optional<ExecOutput> output(std::move(ready_.front()));
    ready_.pop_front();
    co_return output;
  }

  void finish() override { records_.stop(); }

 private:
  // Records are as small as the container's writes; neighbours of one stream go as one message.
  void take(const logs::Record& record) {
    if (record.header.attempt != attempt_ || record.payload.empty()) return;
    const bool is_error = record.header.stream == logs::OutputStream::kError;
    if (!ready_.empty()) {
      auto& last = is_error ? ready_.back().error : ready_.back().out;
      if (last && last->size() + record.payload.size() <= kPieceBytes) {
        last->append(record.payload);
        return;
      }
    }
    auto& output = ready_.emplace_back();
    (is_error ? output.error : output.out).emplace(record.payload);
  }

  base::Executor executor_;
  logs::SegmentFollower records_;
  std::deque<ExecOutput> ready_;
  std::uint16_t attempt_;
};

}  // namespace

Result<std::unique_ptr<AttachOutput>> open_segment_output(base::Executor executor, std::filesystem::path folder,
                                                          std::uint32_t attempt) {
  ASSIGN_OR_RETURN(auto records, logs::SegmentFollower::open(executor, folder));
  auto output = std::make_unique<SegmentOutput>(std::move(executor), std::move(records), attempt);
  RETURN_IF_ERROR(output->watch());
  return output;
}

base::Error output_lost() {
  return {base::Code::kDataLoss,
          "output came faster than it was taken, and the oldest is no longer kept: attach again, or keep more of it "
          "(logging: options: max-size)",
          {}};
}

}  // namespace orchion::node::runtimes::attach
