#pragma once

// Who of a stack's runs is at work, and who is next. Pure; what planners and the API agree on.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "v1/objects.pb.h"

namespace orchion::core {

using RunList = std::vector<std::shared_ptr<const v1::Run>>;

// Its tasks run, or are being stopped.
bool is_at_work(const v1::Run& run);

// Runs of one group are not side by side; a job without one is its own.
std::string group_of(const v1::Run& run);

// The higher priority first, then the older.
bool goes_before(const v1::Run& a, const v1::Run& b);

// nullptr where the stack has none of that name.
const v1::QueueSpec* find_queue(const v1::StackSpec& stack, const std::string& name);

struct QueueLine {
  std::uint32_t active = 0;   // at work
  std::uint32_t waiting = 0;  // whatever else they wait for
  RunList next;               // who begins now, in this order
};

// `runs` are all of the stack that have not ended. So many begin as slots are free (0 slots: all): the higher priority
// first, among equals that whose job has the fewest runs at work, those before it in this order counted, then the
// older. Who is held back by its concurrency group takes no slot.
QueueLine line_of(const std::string& queue, std::uint32_t slots, const RunList& runs);

// Who begins when a slot is free; null: nobody waits for one.
std::shared_ptr<const v1::Run> next_of(const std::string& queue, const RunList& runs);

}  // namespace orchion::core
