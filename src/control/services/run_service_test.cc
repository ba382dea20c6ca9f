#include "control/services/run_service.h"

#include <gmock/gmock.h>

#include "control/services/job_service.h"
#include "control/services/services_fixture_test.h"
#include "core/defaults.h"
#include "core/jobs.h"
#include "core/lifecycle.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;

// One job, as the controllers would have made it; nobody begins its runs.
class RunServiceTest : public ServicesFixture {
 protected:
  RunServiceTest() {
    auto manifests = std::make_shared<StackManifests>(context());
    add_job_service(table_, std::make_shared<JobService>(context(), manifests));
    add_run_service(table_, std::make_shared<RunService>(context(), manifests, streams_, nullptr));
    v1::Job job;
    *job.mutable_meta() = core::owned_meta("shop", "encode", "uid", clock_.wall(), core::kJobFinalizer);
    job.mutable_spec()->mutable_container()->set_image("app:1");
    auto& file = *job.mutable_spec()->add_parameters();
    file.set_name("FILE");
    core::fill_defaults(*job.mutable_spec());
    add(job);
  }

  template <class T>
  void add(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  base::Result<v1::Run> ask(const std::string& file, core::CallContext call = {}, bool dry_run = false) {
    v1::RunJobRequest request;
    request.set_stack("shop");
    request.set_job("encode");
    if (!file.empty()) (*request.mutable_parameters())["FILE"] = file;
    request.set_dry_run(dry_run);
    return this->call<v1::Run, v1::RunJobRequest>(table_, "JobService.RunJob", {request}, std::move(call));
  }

  template <class Request>
  base::Result<v1::Run> about(const std::string& method, const std::string& name) {
    Request request;
    request.set_stack("shop");
    request.set_name(name);
    return call<v1::Run, Request>(table_, "JobService." + method, {request});
  }

  void end(const std::string& name, v1::RunState state) {
    v1::Run run = *view().runs().find("shop", name);
    run.mutable_status()->set_state(state);
    store::Transaction transaction;
    store::put_status(transaction, run);
    commit(std::move(transaction));
  }

  NodeStreams streams_{loop_.executor(), clock_, random_};
  core::MethodTable table_;
};

TEST_F(RunServiceTest, MakesRunsThatWait) {
  const auto first = ask("a"), second = ask("b");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->meta().name(), "encode.1");
  EXPECT_EQ(second->meta().name(), "encode.2");
  EXPECT_EQ(first->status().state(), v1::RUN_QUEUED);
  EXPECT_EQ(first->spec().parameters().at("FILE"), "a");
  EXPECT_EQ(second->spec().template_().container().environment(0).value(), "b");
  EXPECT_TRUE(core::has_finalizer(first->meta(), core::kRunFinalizer));
  EXPECT_EQ(view().runs_of_job("shop", "encode").size(), 2u);
}

TEST_F(RunServiceTest, RefusesWhatCantRun) {
  EXPECT_EQ(ask("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(ask("").error().fields.at(0).pointer, "/parameters");
  v1::RunJobRequest request;
  request.set_stack("shop");
  request.set_job("nope");
  const auto missing = call<v1::Run, v1::RunJobRequest>(table_, "JobService.RunJob", {request});
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("orchion job ls"));
  v1::Job going = *view().jobs().find("shop", "encode");
  core::mark_deleted(*going.mutable_meta(), clock_.wall());
  store::Transaction transaction;
  store::put_spec(transaction, going);
  commit(std::move(transaction));
  EXPECT_EQ(ask("a").error().code, Code::kFailedPrecondition);
}

TEST_F(RunServiceTest, ADryRunMakesNothing) {
  const auto run = ask("a", {}, true);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->meta().name(), "encode.1");
  EXPECT_TRUE(view().runs().all().empty());
}

TEST_F(RunServiceTest, TheSameCallMakesOneRun) {
  core::CallContext call;
  call.identity = "me";
  call.idempotency_key = "once";
  const auto first = ask("a", call), again = ask("a", call);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->meta().uid(), again->meta().uid());
  EXPECT_EQ(view().runs().all().size(), 1u);
}

TEST_F(RunServiceTest, TheQueueIsBounded) {
  const auto job = view().jobs().find("shop", "encode");
  for (std::uint64_t n = 1; n <= core::kRunsQueuedMax; ++n) add(core::make_run(*job, n, job->spec(), clock_.wall()));
  const auto refused = ask("a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
}

TEST_F(RunServiceTest, AJobsNameStandsForItsNewestRun) {
  EXPECT_THAT(about<v1::GetRunRequest>("GetRun", "encode").error().message, HasSubstr("has not run yet"));
  ask("a"), ask("b");
  EXPECT_EQ(about<v1::GetRunRequest>("GetRun", "encode")->meta().name(), "encode.2");
  EXPECT_EQ(about<v1::GetRunRequest>("GetRun", "encode.1")->meta().name(), "encode.1");
  EXPECT_EQ(about<v1::GetRunRequest>("GetRun", "encode.3").error().code, Code::kNotFound);
}

TEST_F(RunServiceTest, CancelIsAWishUntilItEnded) {
  ask("a");
  const auto cancelled = about<v1::CancelRunRequest>("CancelRun", "encode.1");
  ASSERT_TRUE(cancelled);
  EXPECT_TRUE(view().runs().find("shop", "encode.1")->spec().cancelled());
  EXPECT_TRUE(about<v1::CancelRunRequest>("CancelRun", "encode.1")) << "a second time changes nothing";
  end("encode.1", v1::RUN_CANCELLED);
  const auto late = about<v1::CancelRunRequest>("CancelRun", "encode.1");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message, "shop/encode.1 has ended already: cancelled");
}

TEST_F(RunServiceTest, RetriesWhatEndedAsItWas) {
  ask("a");
  EXPECT_EQ(about<v1::RetryRunRequest>("RetryRun", "encode.1").error().code, Code::kFailedPrecondition);
  end("encode.1", v1::RUN_FAILED);
  v1::Job changed = *view().jobs().find("shop", "encode");
  changed.mutable_spec()->mutable_container()->set_image("app:2");
  store::Transaction transaction;
  store::put_spec(transaction, changed);
  commit(std::move(transaction));
  const auto retried = about<v1::RetryRunRequest>("RetryRun", "encode.1");
  ASSERT_TRUE(retried);
  EXPECT_EQ(retried->meta().name(), "encode.2");
  EXPECT_EQ(retried->spec().retry_of(), "encode.1");
  EXPECT_EQ(retried->spec().template_().container().image(), "app:1");
  EXPECT_EQ(retried->spec().parameters().at("FILE"), "a");
}

TEST_F(RunServiceTest, ListsTheNewestFirstInPages) {
  for (int i = 0; i < 12; ++i) ask("a");
  end("encode.12", v1::RUN_FAILED);
  std::vector<std::string> names;
  v1::ListRunsRequest request;
  request.set_active(true);
  request.set_page_size(5);
  do {
    const auto page = call<v1::ListRunsResponse, v1::ListRunsRequest>(table_, "JobService.ListRuns", {request});
    ASSERT_TRUE(page);
    for (const auto& run : page->runs()) names.push_back(run.meta().name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("encode.11", "encode.10", "encode.9", "encode.8", "encode.7", "encode.6", "encode.5",
                                 "encode.4", "encode.3", "encode.2", "encode.1"));
}

TEST_F(RunServiceTest, AnArtifactThatThereIsNot) {
  ask("a");
  v1::GetArtifactRequest request;
  request.set_stack("shop");
  request.set_run("encode.1");
  request.set_artifact("result");
  const auto missing = call<v1::FilePiece, v1::GetArtifactRequest>(table_, "JobService.GetArtifact", {request});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "encode.1 has no output \"result\": it has none");
}

TEST_F(RunServiceTest, AJobIsRefusedWithTheFieldsOfTheRequest) {
  v1::CreateJobRequest request;
  request.set_stack("site");
  request.set_name("nightly");
  request.mutable_spec()->mutable_container()->set_image("app:1");
  request.mutable_spec()->mutable_schedule()->add_cron("61 * * * *");
  const auto refused = call<v1::Job, v1::CreateJobRequest>(table_, "JobService.CreateJob", {request});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields.at(0).pointer, "/spec/schedule/cron/0");
  request.mutable_spec()->mutable_schedule()->set_cron(0, "@daily");
  request.set_dry_run(true);
  const auto imagined = call<v1::Job, v1::CreateJobRequest>(table_, "JobService.CreateJob", {request});
  ASSERT_TRUE(imagined) << imagined.error().message;
  EXPECT_EQ(imagined->spec().schedule().time_zone(), "UTC");
}

}  // namespace
}  // namespace orchion::control::services
