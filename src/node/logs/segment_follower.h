#pragma once

// The records of a log folder in order, while it is written, rotated and removed.

#include <filesystem>
#include <optional>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/co.h"
#include "node/logs/segment_file.h"

namespace orchion::node::logs {

// Where a reader is in a container's output. One executor; one call at a time. Files are read on the executor itself,
// 256 KiB at a time.
class SegmentFollower {
 public:
  // Reading goes on where the folder is moved.
  static base::Result<SegmentFollower> open(base::Executor executor, const std::filesystem::path& folder);

  // From now on wait() sees every change; without it, there is only what is written. Watching begins before reading:
  // what comes in between is seen twice rather than not at all.
  base::Result<> watch();

  bool following() const { return following_; }

  // Of sealed segments, only what `choice` lets pass is read.
  void choose(BlockChoice choice) { choice_ = std::move(choice); }

  // Reading begins at this segment, or within one.
  void start_at(std::uint64_t number) { next_number_ = number; }
  void start_in(std::optional<SegmentFile> segment, std::uint64_t next_number);

  // Hands one chunk of records to `take(const Record&)`. False: at the end of all that is written.
  template <class Take>
  base::Result<bool> read_chunk(Take take);

  // True once segments were removed before they were read.
  bool fell_behind() const { return fell_behind_; }

  // Returns when something may have changed since watch() or the last call, or after stop().
  base::Co<> wait();

  // What is written by now is still read; nothing is waited for.
  void stop();

 private:
  SegmentFollower(base::Executor executor, base::UniqueFd folder)
      : folder_(std::move(folder)), changes_(std::move(executor)) {}
  base::Result<std::vector<std::uint64_t>> segments();
  base::Result<bool> open_next();
  base::Result<bool> fill();

  base::UniqueFd folder_;
  BlockChoice choice_;
  std::optional<SegmentFile> segment_;
  std::uint64_t next_number_ = 0;  // of the first segment not yet begun
  bool begun_ = false;
  bool fell_behind_ = false;
  bool following_ = false;
  boost::asio::posix::stream_descriptor changes_;  // inotify, of a follower
};

template <class Take>
base::Result<bool> SegmentFollower::read_chunk(Take take) {
  ASSIGN_OR_RETURN(const bool more, fill());
  if (!more) return false;
  while (segment_) {
    const auto record = segment_->next();
    if (!record) break;
    take(*record);
  }
  return true;
}

}  // namespace orchion::node::logs
