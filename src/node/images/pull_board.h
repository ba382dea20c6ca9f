#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace orchion::node::images {

// How far a pull is.
struct PullState {
  std::uint64_t number = 0;  // tells pulls of one board apart
  std::string reference;     // normalised
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;  // of what this machine lacks; 0: not known yet
  bool ended = false;
};

// The pulls that are under way on this machine, for those who want to see them go on. Thread-safe.
class PullBoard {
 public:
  // One pull, until this is destroyed. Outlives the board if it must.
  class Entry {
   public:
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    void set(std::uint64_t done_bytes, std::uint64_t total_bytes);

    // From now on `measure` says how much is done, asked only while somebody looks, by their thread. It may block, and
    // refers to nothing that may go.
    void measure(std::uint64_t total_bytes, std::function<std::uint64_t()> measure);

    // All of it came.
    void complete();

   private:
    friend class PullBoard;
    struct Shared;
    Entry(std::shared_ptr<Shared> shared, std::uint64_t number) : shared_(std::move(shared)), number_(number) {}
    std::shared_ptr<Shared> shared_;
    std::uint64_t number_;
  };

  PullBoard();

  std::unique_ptr<Entry> begin(std::string reference);

  // Those under way, and those that ended in the last seconds, by number. May block.
  std::vector<PullState> look();

 private:
  std::shared_ptr<Entry::Shared> shared_;
};

}  // namespace orchion::node::images
