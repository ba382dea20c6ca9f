#pragma once

// When this server first saw that a task had ended, ran again or was ready, or that a node had fallen silent: nodes'
// clocks are not to be relied on for delays. Kept by each controller that needs it; lost with the server, so that
// delays begin anew with the next.

#include <map>
#include <string>
#include <vector>

#include "control/controllers/placement_planner.h"

namespace orchion::control::controllers {

class SeenTimes {
 public:
  // Those of the tasks that ended and aren't to go, by uid.
  std::map<std::string, base::Time> note_ended(const std::vector<TaskPtr>& tasks, base::Time now);

  // Those of the tasks that run after a restart, by uid: since when the attempt does.
  std::map<std::string, base::Time> note_running(const std::vector<TaskPtr>& tasks, base::Time now);

  // Those of the tasks that take the place of others, which move, by uid: since when they run and are well, without a
  // break.
  std::map<std::string, base::Time> note_ready(const std::vector<TaskPtr>& tasks, base::Time now);

  // Nodes of these tasks that are lost or no longer there, by uid; all that are known, not only those.
  const std::map<std::string, base::Time>& note_silent(const store::View& view, const std::vector<TaskPtr>& tasks,
                                                       base::Time now);

  // What the change of a task or a node makes void: that a node was lost before says nothing about a lease it may have
  // had since, also where it is removed.
  void forget_task(const std::string& uid) {
    ended_.erase(uid);
    running_.erase(uid);
    ready_.erase(uid);
  }
  void note_node(const v1::Node* before, const v1::Node* after);

 private:
  struct Attempt {
    std::uint32_t number = 0;
    base::Time since;
  };

  std::map<std::string, base::Time> ended_, ready_, silent_;
  std::map<std::string, Attempt> running_;
};

// Whether a change of a node concerns those who have tasks on it.
bool is_news(const v1::Node* before, const v1::Node* after);

}  // namespace orchion::control::controllers
