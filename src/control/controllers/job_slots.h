#pragma once

// Which slots of a schedule came since they were last looked at. Part of the job planner.

#include <optional>
#include <vector>

#include "base/clock.h"
#include "v1/specs.pb.h"

namespace orchion::control::controllers {

// A slot within that time before a schedule is first seen counts: the server was there, only a moment late.
constexpr base::Duration kJustNow = std::chrono::seconds(1);

constexpr std::size_t kSlotsMissedRecorded = 20;

// At once; a schedule that may begin late has no more than these begun of those it missed.
constexpr std::size_t kSlotsBegun = 20;

// Slots looked at after a long absence; of those before, all that is said is that there were more.
constexpr std::size_t kSlotsCountedMax = 100'000;

struct DueSlots {
  std::vector<base::WallTime> to_begin;  // within the starting deadline, the newest kSlotsBegun, the oldest first
  std::vector<base::WallTime> missed;    // the newest kSlotsMissedRecorded of them, the oldest first
  std::size_t missed_before = 0;         // of those that are neither
  bool missed_is_more = false;           // than that number
  base::WallTime seen_until;             // the newest of all these, else `since`: none up to it will come again
  std::optional<base::WallTime> next;
};

// `schedule` is valid and has its defaults. Where the clock went back, nothing is due until it has caught up.
DueSlots due_slots(const v1::JobSchedule& schedule, base::WallTime since, base::WallTime now);

}  // namespace orchion::control::controllers
