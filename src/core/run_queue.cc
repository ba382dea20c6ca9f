#include "core/run_queue.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "core/jobs.h"

namespace orchion::core {

namespace {

constexpr auto kAll = std::numeric_limits<std::size_t>::max();

// What is in the way of those of one group.
struct Group {
  bool busy = false;
  const v1::Run* first = nullptr;  // of those that wait
};

std::map<std::string, Group> groups_of(const RunList& runs) {
  std::map<std::string, Group> groups;
  for (const auto& run : runs) {
    Group& group = groups[group_of(*run)];
    if (is_at_work(*run)) group.busy = true;
    if (is_waiting(*run) && (group.first == nullptr || goes_before(*run, *group.first))) group.first = run.get();
  }
  return groups;
}

// Those of one job that may begin, the first of them last, so that it is taken off quickly.
struct Lane {
  std::uint32_t active = 0;
  RunList waiting;
};

class Line {
 public:
  Line(const std::string& queue, const RunList& runs) {
    const auto groups = groups_of(runs);
    for (const auto& run : runs) {
      if (run->spec().template_().queue() != queue) continue;
      Lane& lane = lanes_[run->spec().job()];
      if (is_at_work(*run)) {
        ++lane.active;
        ++line_.active;
      } else if (is_waiting(*run)) {
        ++line_.waiting;
        const Group& group = groups.at(group_of(*run));
        const bool side_by_side = run->spec().template_().concurrency() == v1::JobSpec::SIDE_BY_SIDE;
        if (side_by_side || (!group.busy && group.first == run.get())) lane.waiting.push_back(run);
      }
    }
    for (auto& [job, lane] : lanes_)
      std::sort(lane.waiting.begin(), lane.waiting.end(),
                [](const auto& a, const auto& b) { return goes_before(*b, *a); });
  }

  QueueLine take(std::size_t most) {
    for (std::size_t taken = 0; taken < most; ++taken) {
      Lane* first = nullptr;
      for (auto& [job, lane] : lanes_)
        if (!lane.waiting.empty() && (first == nullptr || precedes(lane, *first))) first = &lane;
      if (first == nullptr) break;
      line_.next.push_back(std::move(first->waiting.back()));
      first->waiting.pop_back();
      ++first->active;
    }
    return std::move(line_);
  }

  std::uint32_t active() const { return line_.active; }

 private:
  static bool precedes(const Lane& a, const Lane& b) {
    const v1::Run& one = *a.waiting.back();
    const v1::Run& other = *b.waiting.back();
    const auto priority = [](const v1::Run& run) { return run.spec().template_().priority(); };
    if (priority(one) != priority(other)) return priority(one) > priority(other);
    return a.active != b.active ? a.active < b.active : goes_before(one, other);
  }

  QueueLine line_;
  std::map<std::string, Lane> lanes_;  // by job
};

}  // namespace

bool is_at_work(const v1::Run& run) {
  return run.status().state() == v1::RUN_ACTIVE || run.status().state() == v1::RUN_CANCELLING;
}

std::string group_of(const v1::Run& run) {
  const auto& group = run.spec().template_().concurrency_group();
  return group.empty() ? "job/" + run.spec().job() : "group/" + group;
}

bool goes_before(const v1::Run& a, const v1::Run& b) {
  const auto key = [](const v1::Run& run) {
    const auto& created = run.meta().created_at();
    return std::tuple(-static_cast<std::int64_t>(run.spec().template_().priority()), created.seconds(), created.nanos(),
                      std::string_view(run.spec().job()), run.spec().number());
  };
  return key(a) < key(b);
}

const v1::QueueSpec* find_queue(const v1::StackSpec& stack, const std::string& name) {
  const auto found = std::find_if(stack.queues().begin(), stack.queues().end(),
                                  [&](const v1::NamedQueue& queue) { return queue.name() == name; });
  return found == stack.queues().end() ? nullptr : &found->spec();
}

QueueLine line_of(const std::string& queue, std::uint32_t slots, const RunList& runs) {
  Line line(queue, runs);
  const auto active = line.active();
  return line.take(slots == 0 ? kAll : slots - std::min(slots, active));
}

std::shared_ptr<const v1::Run> next_of(const std::string& queue, const RunList& runs) {
  const auto next = Line(queue, runs).take(1).next;
  return next.empty() ? nullptr : next.front();
}

}  // namespace orchion::core
