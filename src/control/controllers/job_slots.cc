#include "control/controllers/job_slots.h"

#include <algorithm>
#include <deque>

#include "core/cron/cron.h"
#include "core/timestamps.h"

namespace orchion::control::controllers {

namespace cron = core::cron;

namespace {

// Enough for all that is recorded and begun of a schedule of every minute.
constexpr base::Duration kSlotsLookedAt = std::chrono::hours(1);

}  // namespace

DueSlots due_slots(const v1::JobSchedule& schedule, base::WallTime since, base::WallTime now) {
  DueSlots due;
  due.seen_until = since;
  std::vector<cron::Line> lines;
  for (const auto& text : schedule.cron())
    if (const auto line = cron::parse(text)) lines.push_back(*line);
  const auto zone = cron::Zone::load(schedule.time_zone());
  // A machine can lose its tz database: then nothing is due rather than something at a wrong hour.
  if (!zone) return due;
  const auto deadline = core::from_duration(schedule.starting_deadline());
  std::deque<base::WallTime> missed, to_begin;
  auto slot = cron::next_slot(lines, *zone, since);
  for (std::size_t n = 0; slot && *slot <= now; ++n) {
    due.seen_until = *slot;
    (now - *slot <= deadline ? to_begin : missed).push_back(*slot);
    if (to_begin.size() > kSlotsBegun) {
      missed.push_back(to_begin.front());
      to_begin.pop_front();
    }
    if (missed.size() > kSlotsMissedRecorded) {
      missed.pop_front();
      ++due.missed_before;
    }
    const bool too_many = n >= kSlotsCountedMax && now - *slot > kSlotsLookedAt;
    due.missed_is_more = due.missed_is_more || too_many;
    slot = cron::next_slot(lines, *zone, too_many ? now - kSlotsLookedAt : *slot);
  }
  due.next = slot;
  due.missed.assign(missed.begin(), missed.end());
  due.to_begin.assign(to_begin.begin(), to_begin.end());
  return due;
}

}  // namespace orchion::control::controllers
