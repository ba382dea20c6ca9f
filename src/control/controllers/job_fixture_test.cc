#include "control/controllers/job_fixture_test.h"

#include <algorithm>

namespace orchion::control::controllers {

v1::StackSpec with_job(v1::StackSpec stack, const std::string& name, const std::string& image,
                       const JobChange& change) {
  auto& job = *stack.add_jobs();
  job.set_name(name);
  job.mutable_spec()->mutable_container()->set_image(image);
  change(*job.mutable_spec());
  return stack;
}

v1::StackSpec one_job(const std::string& image, const JobChange& change) {
  return with_job({}, "job", image, change);
}

JobChange scheduled(const std::string& line) {
  return [line](v1::JobSpec& job) { job.mutable_schedule()->add_cron(line); };
}

std::string JobFixture::ask(const std::string& name, const std::string& stack) {
  const auto job = view().jobs().find(stack, name);
  auto made_from = core::with_parameters(name, job->spec(), {});
  EXPECT_TRUE(made_from);
  const auto run =
      core::make_run(*job, core::next_run_number(*job, view().runs_of_job(stack, name)), *made_from, clock_.wall());
  store::Transaction transaction;
  store::create(transaction, run);
  commit(std::move(transaction));
  return run.meta().name();
}

void JobFixture::cancel(const std::string& run) {
  v1::Run changed = *view().runs().find("shop", run);
  changed.mutable_spec()->set_cancelled(true);
  store::Transaction transaction;
  store::put_spec(transaction, changed);
  commit(std::move(transaction));
}

std::vector<v1::RunState> JobFixture::states(const std::string& job) const {
  std::vector<v1::RunState> all;
  for (const auto& run : view().runs_of_job("shop", job)) all.push_back(run->status().state());
  return all;
}

std::size_t JobFixture::unended(const std::string& run) const {
  const auto all = tasks_of(run);
  return static_cast<std::size_t>(std::ranges::count_if(all, [](const auto& task) {
    return !core::is_terminal(task->status().state()) && task->spec().desired_state() != v1::DESIRED_LOST;
  }));
}

}  // namespace orchion::control::controllers
