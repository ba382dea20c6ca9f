#pragma once

#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "v1/control.pb.h"
#include "v1/objects.pb.h"

namespace orchion::core {

// What happened, for people and programs; see the fields of v1::Event.
struct EventDraft {
  v1::Event::Severity severity = v1::Event::INFO;
  std::string kind;
  std::string stack;  // empty for what belongs to none
  std::string subject;
  std::string subject_uid;
  std::string reason;  // one CamelCase word
  std::string message;
  std::string node;

  bool operator==(const EventDraft&) const = default;
};

// A new Event in its subject's stack. Its name is the time in nanoseconds as 16 hexadecimal digits and a random part:
// unique, and in the order of time when sorted.
v1::Event make_event(const EventDraft& draft, base::WallTime now, base::Random& random);

// Whether a list with these filters has it; its page says nothing here.
bool is_wanted(const v1::Event& event, const v1::ListEventsRequest& request);

}  // namespace orchion::core
