#include "core/events.h"

#include <algorithm>
#include <cctype>
#include <utility>

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

namespace {

// "web" is "web.1" and "web.1.k3f9qa" too.
bool is_part_of(const std::string& subject, const std::string& wanted) {
  return subject == wanted || (subject.starts_with(wanted) && subject[wanted.size()] == '.');
}

bool is_earlier(const google::protobuf::Timestamp& a, const google::protobuf::Timestamp& b) {
  return std::pair(a.seconds(), a.nanos()) < std::pair(b.seconds(), b.nanos());
}

bool is_alike(const std::string& a, const std::string& b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

bool is_wanted(const v1::Event& event, const v1::ListEventsRequest& request) {
  if (!request.stack().empty() && event.meta().stack() != request.stack()) return false;
  if (!request.subject().empty() && !is_part_of(event.subject(), request.subject())) return false;
  if (!request.reason().empty() && !is_alike(event.reason(), request.reason())) return false;
  const bool is_of_node =
      event.node() == request.node() || (event.kind() == "Node" && event.subject() == request.node());
  if (!request.node().empty() && !is_of_node) return false;
  return !request.has_since() || !is_earlier(event.time(), request.since());
}

}  // namespace orchion::core
