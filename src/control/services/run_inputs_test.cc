// What runs are given: files, secrets, and places in queues.

#include "control/services/run_inputs.h"

#include <gmock/gmock.h>

#include "control/auth/permissions.h"
#include "control/services/assignments.h"
#include "control/services/run_service.h"
#include "control/services/services_fixture_test.h"
#include "core/defaults.h"
#include "core/lifecycle.h"

namespace orchion::control::services {
namespace {

namespace fs = std::filesystem;
using base::Code;
using testing::HasSubstr;

// A job with an input, a secret and a queue; nobody begins its runs.
class RunInputsTest : public ServicesFixture {
 protected:
  RunInputsTest() {
    std::string name = (fs::temp_directory_path() / "run-inputs-XXXXXX").native();
    place_ = ::mkdtemp(name.data());
    inputs_ = std::make_shared<inputs::InputFolder>(place_ / "inputs", workers_);
    auto manifests = std::make_shared<StackManifests>(context());
    add_run_service(table_, std::make_shared<RunService>(context(), manifests, streams_, inputs_));
    v1::Job job;
    *job.mutable_meta() = core::owned_meta("shop", "encode", "uid", clock_.wall(), core::kJobFinalizer);
    job.mutable_spec()->mutable_container()->set_image("app:1");
    auto& video = *job.mutable_spec()->add_inputs();
    video.set_name("video");
    video.set_path("/in/video.mov");
    auto& token = *job.mutable_spec()->add_parameters();
    token.set_name("TOKEN");
    token.set_secret(true);
    job.mutable_spec()->set_queue("gpu");
    core::fill_defaults(*job.mutable_spec());
    add(job);
    v1::Stack stack;
    stack.mutable_meta()->set_name("shop");
    auto& queue = *stack.mutable_spec()->add_queues();
    queue.set_name("gpu");
    queue.mutable_spec()->set_slots(1);
    auto& named = *stack.mutable_spec()->add_jobs();
    named.set_name("encode");
    *named.mutable_spec() = job.spec();
    add(stack);
  }
  ~RunInputsTest() override { fs::remove_all(place_); }

  template <class T>
  void add(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  base::Result<v1::UploadInputResponse> upload(const std::vector<std::string>& pieces, const char* input = "video") {
    std::deque<v1::UploadInputRequest> requests(1);
    requests[0].set_stack("shop");
    requests[0].set_job("encode");
    requests[0].set_input(input);
    for (const auto& piece : pieces) requests.emplace_back().set_data(piece);
    return call<v1::UploadInputResponse, v1::UploadInputRequest>(table_, "JobService.UploadInput", std::move(requests));
  }

  base::Result<v1::Run> ask(const std::string& digest, const std::string& secret = "hunter2",
                            core::CallContext context = {}) {
    v1::RunJobRequest request;
    request.set_stack("shop");
    request.set_job("encode");
    if (!digest.empty()) (*request.mutable_inputs())["video"] = digest;
    if (!secret.empty()) (*request.mutable_secret_parameters())["TOKEN"] = secret;
    return call<v1::Run, v1::RunJobRequest>(table_, "JobService.RunJob", {request}, std::move(context));
  }

  // As the placement made it, on node "n".
  v1::Task place(const std::string& run) {
    v1::Task task;
    task.mutable_meta()->set_stack("shop");
    task.mutable_meta()->set_name(run + ".0-abc");
    task.mutable_meta()->set_uid("task-" + run);
    task.mutable_spec()->set_run(run);
    task.mutable_spec()->mutable_assignment()->set_node("n");
    task.mutable_spec()->mutable_assignment()->set_node_uid("n-uid");
    add(task);
    return task;
  }

  base::Result<std::string> fetch(const std::string& task_uid, const std::string& digest,
                                  const std::string& identity = "") {
    v1::InputFetch wanted;
    wanted.set_task_uid(task_uid);
    wanted.set_digest(digest);
    core::CallContext caller;
    caller.identity = identity;
    using Call = CollectedCall<v1::StreamFromAgent, v1::StreamToAgent>;
    auto stream = std::make_shared<Call>(std::deque<v1::StreamFromAgent>());
    const auto sent = loop_.run(send_input(context(), inputs_, caller, wanted, AgentStream(stream)));
    if (!sent) return std::unexpected(sent.error());
    std::string all;
    for (const auto& piece : stream->responses) all += piece.data();
    EXPECT_TRUE(stream->responses.back().data().empty());
    return all;
  }

  void end(const std::string& name) {
    v1::Run run = *view().runs().find("shop", name);
    run.mutable_status()->set_state(v1::RUN_FAILED);
    store::Transaction transaction;
    store::put_status(transaction, run);
    commit(std::move(transaction));
  }

  fs::path place_;
  base::WorkerPool workers_{1};
  std::shared_ptr<inputs::InputFolder> inputs_;
  NodeStreams streams_{loop_.executor(), clock_, random_};
  core::MethodTable table_;
};

TEST_F(RunInputsTest, GoFromTheUserToTheNodeOfTheTask) {
  const auto kept = upload({"a ", "film"});
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->bytes(), 6);
  const auto run = ask(kept->digest());
  ASSERT_TRUE(run) << run.error().message;
  const auto task = place(run->meta().name());
  const auto assignment = assignment_of(view(), task);
  ASSERT_TRUE(assignment);
  ASSERT_EQ(assignment->inputs_size(), 1);
  EXPECT_EQ(assignment->inputs(0).path(), "/in/video.mov");
  EXPECT_EQ(assignment->inputs(0).digest(), kept->digest());
  EXPECT_EQ(fetch(task.meta().uid(), kept->digest()).value(), "a film");
}

TEST_F(RunInputsTest, OnlyTheTasksNodeIsGivenThem) {
  const auto digest = upload({"a film"})->digest();
  const auto other = upload({"another"})->digest();
  const auto task = place(ask(digest)->meta().name());
  EXPECT_EQ(fetch(task.meta().uid(), digest, auth::node_identity("else")).error().code, Code::kPermissionDenied);
  EXPECT_EQ(fetch(task.meta().uid(), other).error().code, Code::kNotFound);
  EXPECT_EQ(fetch("nobody", digest).error().code, Code::kNotFound);
}

TEST_F(RunInputsTest, RefusesWhatIsMissing) {
  const auto without = ask("");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message, "the job encode needs its input video: say --input video=FILE");
  EXPECT_EQ(without.error().fields.at(0).pointer, "/inputs");
  const auto unknown = ask("sha256:" + std::string(64, '0'));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(unknown.error().message, HasSubstr("upload it again"));
  EXPECT_EQ(ask("../state.db").error().code, Code::kInvalidArgument);
  const auto film = upload({"x"}, "film");
  ASSERT_FALSE(film);
  EXPECT_THAT(film.error().message, HasSubstr("has no input \"film\": it takes video"));
  EXPECT_EQ(upload({}).error().message, "the upload carried nothing: send a tar");
}

TEST_F(RunInputsTest, AreKeptAsLongAsARunRefersToThem) {
  const auto used = upload({"used"})->digest(), unused = upload({"unused"})->digest();
  ASSERT_TRUE(ask(used));
  // The clock of files is the machine's.
  clock_.advance(base::SystemClock().wall() + std::chrono::hours(2) - clock_.wall());
  boost::asio::cancellation_signal stop;
  const auto sweeping = loop_.start(sweep_inputs(context(), inputs_), &stop);
  const auto is_there = [&](const std::string& digest) {
    return fs::exists(place_ / "inputs" / (digest.substr(7) + ".tar"));
  };
  while (is_there(unused)) loop_.step();
  EXPECT_TRUE(is_there(used));
  stop.emit(boost::asio::cancellation_type::all);
  EXPECT_FALSE(loop_.wait(sweeping));
}

TEST_F(RunInputsTest, ARetryGetsTheSame) {
  const auto digest = upload({"a film"})->digest();
  ASSERT_TRUE(ask(digest));
  end("encode.1");
  v1::RetryRunRequest request;
  request.set_stack("shop");
  request.set_name("encode.1");
  const auto retried = call<v1::Run, v1::RetryRunRequest>(table_, "JobService.RetryRun", {request});
  ASSERT_TRUE(retried) << retried.error().message;
  const auto stored = view().runs().find("shop", "encode.2");
  EXPECT_EQ(stored->spec().inputs().at("video"), digest);
  EXPECT_EQ(stored->spec().secret_parameters().at("TOKEN"), "hunter2");
}

TEST_F(RunInputsTest, SecretsAreForTheTaskAlone) {
  const auto digest = upload({"a film"})->digest();
  core::CallContext keyed;
  keyed.identity = "me";
  keyed.idempotency_key = "once";
  const auto run = ask(digest, "hunter2", keyed);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->spec().secret_parameters().at("TOKEN"), "<redacted>");
  EXPECT_EQ(run->SerializeAsString().find("hunter2"), std::string::npos);
  EXPECT_EQ(ask(digest, "hunter2", keyed)->meta().uid(), run->meta().uid());
  const auto all = loop_.run(objects_->list(""));
  ASSERT_TRUE(all);
  std::size_t holders = 0;
  for (const auto& entry : all->entries)
    if (entry.value.find("hunter2") != std::string::npos) ++holders;
  EXPECT_EQ(holders, 1u) << "the run's spec";
  const auto assignment = assignment_of(view(), place("encode.1"));
  const auto& environment = assignment->container().environment();
  EXPECT_TRUE(std::any_of(environment.begin(), environment.end(), [](const v1::EnvironmentVariable& variable) {
    return variable.name() == "TOKEN" && variable.value() == "hunter2";
  }));
}

TEST_F(RunInputsTest, ASecretIsNotSaidAmongTheOthers) {
  const auto digest = upload({"a film"})->digest();
  EXPECT_THAT(ask(digest, "").error().message, HasSubstr("needs its secret parameter TOKEN"));
  v1::RunJobRequest request;
  request.set_stack("shop");
  request.set_job("encode");
  (*request.mutable_parameters())["TOKEN"] = "hunter2";
  const auto refused = call<v1::Run, v1::RunJobRequest>(table_, "JobService.RunJob", {request});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields.at(0).pointer, "/parameters");
  EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("hunter2")));
}

TEST_F(RunInputsTest, QueuesSayWhoIsNext) {
  const auto digest = upload({"a film"})->digest();
  ASSERT_TRUE(ask(digest) && ask(digest));
  v1::ListQueuesRequest request;
  const auto list = call<v1::ListQueuesResponse, v1::ListQueuesRequest>(table_, "JobService.ListQueues", {request});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->queues_size(), 1);
  const auto& queue = list->queues(0);
  EXPECT_EQ(queue.stack() + "/" + queue.name(), "shop/gpu");
  EXPECT_EQ(queue.spec().slots(), 1u);
  EXPECT_EQ(queue.active(), 0u);
  EXPECT_EQ(queue.waiting(), 2u);
  EXPECT_EQ(queue.next(), "encode.1");
  EXPECT_EQ(queue.jobs(), 1u);
  request.set_stack("blog");
  EXPECT_TRUE((call<v1::ListQueuesResponse, v1::ListQueuesRequest>(table_, "JobService.ListQueues", {request})
                   ->queues()
                   .empty()));
}

}  // namespace
}  // namespace orchion::control::services
