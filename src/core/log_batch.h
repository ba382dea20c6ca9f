#pragma once

// Batches of lines, as they travel from the nodes: see v1::LogBatch.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "v1/dispatcher.pb.h"

namespace orchion::core {

// What it points to belongs to the batch, or to whoever adds it.
struct BatchLine {
  const v1::LogSource* source = nullptr;
  std::string_view text;
  std::int64_t time_ns = 0;  // since the Unix epoch
  bool is_error = false;     // from standard error
};

class LogBatchWriter {
 public:
  void add(const BatchLine& line);
  bool empty() const { return batch_.lengths().empty(); }
  // So much that it should be sent: 256 KiB of text.
  bool is_full() const;
  // What was added. Begins anew.
  v1::LogBatch take();

 private:
  std::uint32_t index_of(const v1::LogSource& source);

  v1::LogBatch batch_;
  std::map<std::string, std::uint32_t> indexes_;  // by task uid
  std::uint32_t last_ = 0;
};

// Goes over a batch's lines. Trusts no number in it: where they don't fit each other it ends.
class LogBatchReader {
 public:
  LogBatchReader() = default;
  explicit LogBatchReader(v1::LogBatch batch);

  bool has_line() const;
  BatchLine line() const;  // where has_line()
  void pass();             // to the next one

  // The lines that weren't passed yet.
  v1::LogBatch take_rest();

 private:
  v1::LogBatch batch_;
  int at_ = 0;
  std::size_t text_at_ = 0;
};

}  // namespace orchion::core
