#include "core/log_batch.h"

#include <utility>

namespace orchion::core {

namespace {

constexpr std::size_t kFullBytes = 256 << 10;

}  // namespace

bool LogBatchWriter::is_full() const {
  return batch_.text().size() >= kFullBytes;
}

std::uint32_t LogBatchWriter::index_of(const v1::LogSource& source) {
  const bool same = last_ < static_cast<std::uint32_t>(batch_.sources_size()) &&
                    batch_.sources(static_cast<int>(last_)).task_uid() == source.task_uid();
  if (same) return last_;
  const auto [known, is_new] =
      indexes_.try_emplace(source.task_uid(), static_cast<std::uint32_t>(batch_.sources_size()));
  if (is_new) *batch_.add_sources() = source;
  return last_ = known->second;
}

void LogBatchWriter::add(const BatchLine& line) {
  batch_.add_marks(index_of(*line.source) << 1 | (line.is_error ? 1 : 0));
  batch_.mutable_text()->append(line.text);
  batch_.add_lengths(static_cast<std::uint32_t>(line.text.size()));
  batch_.add_times(line.time_ns);
}

v1::LogBatch LogBatchWriter::take() {
  indexes_.clear();
  last_ = 0;
  return std::exchange(batch_, {});
}

LogBatchReader::LogBatchReader(v1::LogBatch batch) : batch_(std::move(batch)) {}

bool LogBatchReader::has_line() const {
  if (at_ >= batch_.lengths_size() || at_ >= batch_.times_size() || at_ >= batch_.marks_size()) return false;
  return batch_.lengths(at_) <= batch_.text().size() - text_at_ &&
         batch_.marks(at_) >> 1 < static_cast<std::uint32_t>(batch_.sources_size());
}

BatchLine LogBatchReader::line() const {
  const auto mark = batch_.marks(at_);
  return {&batch_.sources(static_cast<int>(mark >> 1)),
          std::string_view(batch_.text()).substr(text_at_, batch_.lengths(at_)), batch_.times(at_), (mark & 1) != 0};
}

void LogBatchReader::pass() {
  text_at_ += batch_.lengths(at_);
  ++at_;
}

v1::LogBatch LogBatchReader::take_rest() {
  if (at_ == 0) return std::exchange(batch_, {});
  LogBatchWriter rest;
  for (; has_line(); pass()) rest.add(line());
  *this = LogBatchReader();
  return rest.take();
}

}  // namespace orchion::core
