#pragma once

// For tests of jobs: stacks of them in few words, runs asked for as the API makes them, what became of them.

#include <string>
#include <vector>

#include "control/controllers/cluster_fixture_test.h"
#include "control/controllers/job_planner.h"
#include "core/jobs.h"

namespace orchion::control::controllers {

using JobChange = std::function<void(v1::JobSpec&)>;

inline void no_change(v1::JobSpec&) {}

// The stack with one job more.
v1::StackSpec with_job(v1::StackSpec stack, const std::string& name, const std::string& image,
                       const JobChange& change = no_change);

// A stack of one, called "job".
v1::StackSpec one_job(const std::string& image, const JobChange& change = no_change);

JobChange scheduled(const std::string& line);

// All controllers over one node called "a".
class JobFixture : public ClusterFixture {
 protected:
  JobFixture() { add_node("a"); }

  // Runs a job; the run's name.
  std::string ask(const std::string& name = "job", const std::string& stack = "shop");
  void cancel(const std::string& run);

  const v1::RunStatus& status(const std::string& run) const { return view().runs().find("shop", run)->status(); }
  v1::RunState state(const std::string& run) const { return status(run).state(); }
  std::vector<v1::RunState> states(const std::string& job = "job") const;
  std::vector<std::shared_ptr<const v1::Task>> tasks_of(const std::string& run) const {
    return view().tasks_of_run("shop", run);
  }
  std::size_t unended(const std::string& run) const;
  const v1::JobStatus& job_status(const std::string& job = "job") const {
    return view().jobs().find("shop", job)->status();
  }
};

}  // namespace orchion::control::controllers
