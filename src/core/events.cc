#include "core/events.h"

#include <fmt/core.h>

#include "core/lifecycle.h"

namespace orchion::core {

v1::Event make_event(const EventDraft& draft, base::WallTime now, base::Random& random) {
  v1::Event event;
  auto& meta = *event.mutable_meta();
  meta.set_name(fmt::format("{:016x}-{}", static_cast<std::uint64_t>(now.time_since_epoch().count()), random.text(8)));
  meta.set_stack(draft.stack);
  meta.set_uid(base::new_uid(random));
  *meta.mutable_created_at() = to_timestamp(now);
  *event.mutable_time() = to_timestamp(now);
  event.set_severity(draft.severity);
  event.set_kind(draft.kind);
  event.set_subject(draft.subject);
  event.set_subject_uid(draft.subject_uid);
  event.set_reason(draft.reason);
  event.set_message(draft.message);
  event.set_node(draft.node);
  return event;
}

}  // namespace orchion::core
