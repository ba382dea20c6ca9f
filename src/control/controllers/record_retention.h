#pragma once

// Which records of tasks that are gone are kept, and how long. Pure.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/store/view.h"
#include "v1/objects.pb.h"

namespace orchion::control::controllers {

struct RecordLimits {
  std::size_t kept = 10'000;
  std::size_t kept_of_one = 50;  // of a service's slot, or of a job
  base::Duration age = std::chrono::hours(24 * 7);
};

// Every record there is, by age. Costs by what changes, not by how many there are.
class RecordRetention {
 public:
  explicit RecordRetention(RecordLimits limits) : limits_(limits) {}

  // A second time changes nothing.
  void put(const v1::TaskRecord& record);
  void erase(const v1::TaskRecord& record);

  // There are so many that some go now: not one for each that comes.
  bool is_over() const;

  // The oldest of what is too much, and all that are too old.
  std::vector<store::ObjectName> surplus(base::WallTime now) const;

  // When the oldest is too old; nullopt: there is none.
  std::optional<base::WallTime> next_end() const;

 private:
  struct Age {
    base::WallTime removed_at;
    store::ObjectName name;

    auto operator<=>(const Age&) const = default;
  };

  static Age age_of(const v1::TaskRecord& record);
  static std::string owner_of(const v1::TaskRecord& record);
  std::size_t slack(std::size_t limit) const { return limit / 10; }

  RecordLimits limits_;
  std::set<Age> all_;  // the oldest first
  std::map<std::string, std::set<Age>> by_owner_;
  std::set<std::string> full_;  // owners that have more than they may
};

}  // namespace orchion::control::controllers
