#pragma once

// Schedules as cron has them: what a line means, and when it is next due. Pure but for the zones, which are read from
// the machine's tz database once.

#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace orchion::core::cron {

// One line of five fields, as sets. A value; parse() makes it.
struct Line {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;     // of the month, from 1
  std::bitset<13> months;   // from 1
  std::bitset<7> weekdays;  // from Sunday
  // Vixie's rule: where neither the day of the month nor that of the week begins with "*", either is enough.
  bool either_day = false;
  // The hours begin with "*": the line follows the clock through a change of daylight saving, see next_slot().
  bool every_hour = false;
};

// "*/15 9-17 * * mon-fri", or "@daily" and the like. Names in any case; 7 is Sunday too. kInvalidArgument, in a
// sentence that names the field, for what isn't a line and for one that no day ever matches ("0 0 30 2 *").
base::Result<Line> parse(std::string_view text);

// A time zone of the tz database. Cheap to copy, safe between threads.
class Zone {
 public:
  // "Europe/Berlin"; empty: UTC. kInvalidArgument where the machine knows none of that name.
  static base::Result<Zone> load(const std::string& name);

  struct Rules;
  const Rules& rules() const { return *rules_; }

 private:
  explicit Zone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

// The first slot later than `after`, of whole minutes; nullopt: none in the next 60 years. Where clocks are put
// forward, lines of fixed hours that fall into the gap are due once, right after it; where they are put back, in the
// first of the two hours alone. Lines of every hour ("*/10 * * * *") go on at their pace through both.
std::optional<base::WallTime> next_slot(const Line& line, const Zone& zone, base::WallTime after);

// Of several lines the next; two at the same minute are one.
std::optional<base::WallTime> next_slot(const std::vector<Line>& lines, const Zone& zone, base::WallTime after);

}  // namespace orchion::core::cron
