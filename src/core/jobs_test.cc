#include "core/jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/defaults.h"
#include "core/timestamps.h"
#include "core/validation.h"

namespace orchion::core {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

v1::JobSpec a_job() {
  v1::JobSpec job;
  job.mutable_container()->set_image("app:1");
  job.mutable_container()->mutable_command()->add_values("encode");
  job.mutable_container()->mutable_command()->add_values("-i{{FILE}}:{{FILE}}");
  job.mutable_container()->mutable_command()->add_values("{{ .Name }} {{OTHER}} {{");
  auto& file = *job.add_parameters();
  file.set_name("FILE");
  file.set_description("what to encode");
  auto& quality = *job.add_parameters();
  quality.set_name("QUALITY");
  quality.set_default_value("5");
  return job;
}

std::string variable(const v1::JobSpec& job, const std::string& name) {
  for (const auto& one : job.container().environment())
    if (one.name() == name) return one.value();
  return "none";
}

TEST(JobParameters, BecomeVariablesAndWords) {
  const auto made = with_parameters("encode", a_job(), {{"FILE", "a b"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(variable(*made, "FILE"), "a b");
  EXPECT_EQ(variable(*made, "QUALITY"), "5");
  EXPECT_EQ(made->container().command().values(1), "-ia b:a b");
  EXPECT_EQ(made->container().command().values(2), "{{ .Name }} {{OTHER}} {{") << "not ours";
  EXPECT_FALSE(made->container().has_entrypoint());
}

TEST(JobParameters, AValueIsNotLookedAtAgain) {
  const auto made = with_parameters("encode", a_job(), {{"FILE", "{{QUALITY}}"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->container().command().values(1), "-i{{QUALITY}}:{{QUALITY}}");
}

TEST(JobParameters, GoBeforeWhatTheJobSets) {
  auto job = a_job();
  auto& set = *job.mutable_container()->add_environment();
  set.set_name("QUALITY");
  set.set_value("1");
  const auto made = with_parameters("encode", job, {{"FILE", ""}, {"QUALITY", "9"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(variable(*made, "QUALITY"), "9");
  EXPECT_EQ(variable(*made, "FILE"), "");
}

TEST(JobParameters, WrongOnes) {
  const auto missing = with_parameters("encode", a_job(), {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "the job encode needs its parameter FILE (what to encode): say --param FILE=VALUE");
  const auto unknown = with_parameters("encode", a_job(), {{"FILE", "a"}, {"file", "b"}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "the job encode has no parameter \"file\": it takes FILE, QUALITY");
  const auto zero = with_parameters("encode", a_job(), {{"FILE", std::string("a\0b", 3)}});
  ASSERT_FALSE(zero);
  EXPECT_THAT(zero.error().message, HasSubstr("zero byte"));
}

TEST(Retries, DoubleUpToTenMinutes) {
  v1::JobSpec job;
  EXPECT_EQ(retry_delay(job, 1), seconds(1));
  EXPECT_EQ(retry_delay(job, 4), seconds(8));
  EXPECT_EQ(retry_delay(job, 1000), minutes(10));
  job.mutable_backoff()->set_seconds(3600);
  EXPECT_EQ(retry_delay(job, 1), minutes(10));
  job.mutable_backoff()->set_seconds(0);
  EXPECT_EQ(retry_delay(job, 1000), seconds(0));
}

TEST(RunNames, AndNumbers) {
  EXPECT_EQ(run_name("encode", 7), "encode.7");
  EXPECT_EQ(run_number("encode", "encode.7"), 7u);
  EXPECT_FALSE(run_number("encode", "encoder.7"));
  EXPECT_FALSE(run_number("encode", "encode.07"));
  v1::Job job;
  job.mutable_meta()->set_name("encode");
  EXPECT_EQ(next_run_number(job, {}), 1u);
  job.mutable_status()->set_last_run("encode.7");
  EXPECT_EQ(next_run_number(job, {}), 8u) << "though none is there any more";
  auto run = std::make_shared<v1::Run>();
  run->mutable_spec()->set_number(12);
  EXPECT_EQ(next_run_number(job, {run}), 13u);
  v1::TaskSpec task;
  task.set_run("encode.7");
  EXPECT_EQ(short_name(task), "encode.7.0");
}

// --- what may be stored ---

std::vector<std::string> faults(const std::function<void(v1::JobSpec&)>& change) {
  v1::JobSpec job;
  job.mutable_container()->set_image("app:1");
  change(job);
  fill_defaults(job);
  Violations violations;
  check_job(job, "", violations);
  std::vector<std::string> result;
  for (const auto& violation : violations) result.push_back(violation.pointer + ": " + violation.detail);
  return result;
}

TEST(JobValidation, AccumulatesWhatIsWrong) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  EXPECT_THAT(faults([](v1::JobSpec&) {}), IsEmpty());
  EXPECT_THAT(faults([](v1::JobSpec& job) { job.mutable_schedule()->add_cron("@daily"); }), IsEmpty());
  EXPECT_THAT(faults([](v1::JobSpec& job) {
                job.mutable_schedule()->add_cron("0 0 30 2 *");
                job.mutable_schedule()->set_time_zone("Mars");
              }),
              ElementsAre(HasSubstr("/schedule/cron/0: \"0 0 30 2 *\" is never due"),
                          HasSubstr("/schedule/timeZone: there is no time zone \"Mars\"")));
  EXPECT_THAT(faults([](v1::JobSpec& job) { job.mutable_schedule(); }),
              ElementsAre(HasSubstr("/schedule/cron: is empty")));
  EXPECT_THAT(
      faults([](v1::JobSpec& job) {
        job.add_parameters()->set_name("1A");
        job.add_parameters()->set_name("ORCHION_RUN");
        job.add_parameters()->set_name("a");
        job.add_parameters()->set_name("a");
      }),
      ElementsAre(HasSubstr("can't name a parameter"), HasSubstr("sets itself"), HasSubstr("another parameter")));
  EXPECT_THAT(faults([](v1::JobSpec& job) {
                job.add_parameters()->set_name("FILE");
                job.mutable_schedule()->add_cron("@daily");
              }),
              ElementsAre(HasSubstr("a scheduled run has nobody to ask for FILE")));
  EXPECT_THAT(faults([](v1::JobSpec& job) {
                job.set_completions(kCompletionsMax + 1);
                job.set_parallelism(kParallelismMax + 1);
                job.set_retries(kRetriesMax + 1);
                job.mutable_deadline();
                job.mutable_keep()->set_seconds(-1);
              }),
              ElementsAre(HasSubstr("/completions"), HasSubstr("/parallelism"), HasSubstr("/retries"),
                          HasSubstr("/deadline: leaves no time"), HasSubstr("/keep")));
  EXPECT_THAT(faults([](v1::JobSpec& job) {
                job.set_concurrency(v1::JobSpec::SIDE_BY_SIDE);
                job.set_concurrency_group("disk");
              }),
              ElementsAre(HasSubstr("means nothing to runs that go side by side")));
  EXPECT_THAT(faults([](v1::JobSpec& job) {
                for (const auto* path : {"/", "out", "/ok"}) {
                  auto& output = *job.add_outputs();
                  output.set_name("a");
                  output.set_path(path);
                }
              }),
              ElementsAre(HasSubstr("absolute path"), HasSubstr("another output"), HasSubstr("absolute path"),
                          HasSubstr("another output")));
}

TEST(JobValidation, AnOutputIsTheContainersOwn) {
  const auto faults_with = [](const std::string& path) {
    return faults([&](v1::JobSpec& job) {
      auto& mount = *job.mutable_container()->add_mounts();
      mount.set_type(v1::Mount::BIND);
      mount.set_source("/srv");
      mount.set_target("/seen/");
      job.mutable_container()->add_files()->set_target("/run/secrets/key");
      auto& input = *job.add_inputs();
      input.set_name("film");
      input.set_path("/in/film");
      auto& output = *job.add_outputs();
      output.set_name("result");
      output.set_path(path);
    });
  };
  for (const auto* path : {"/out", "/seen-not", "/in", "/run/secrets/keyring", "/seen/../out"})
    EXPECT_THAT(faults_with(path), testing::IsEmpty()) << path;
  for (const auto* path : {"/seen", "/seen/", "/seen/a/b", "/out/../seen/a", "/in/film", "/run/secrets/key"})
    EXPECT_THAT(faults_with(path), testing::ElementsAre(HasSubstr("/outputs/0/path: " + std::string(path) +
                                                                  " is on what is mounted at /")))
        << path;
}

TEST(JobValidation, OneNameMeansOneThing) {
  v1::StackSpec stack;
  stack.add_services()->set_name("web");
  stack.mutable_services(0)->mutable_spec()->mutable_container()->set_image("a");
  stack.add_jobs()->set_name("web");
  stack.mutable_jobs(0)->mutable_spec()->mutable_container()->set_image("a");
  fill_defaults(stack);
  const auto valid = validate_stack("shop", stack);
  ASSERT_FALSE(valid);
  EXPECT_THAT(valid.error().message, HasSubstr("there is a service named web too"));
}

v1::JobSpec a_job_with_secret() {
  auto job = a_job();
  auto& token = *job.add_parameters();
  token.set_name("TOKEN");
  token.set_secret(true);
  return job;
}

TEST(JobParameters, SecretsStayOutOfTheTemplate) {
  const auto made = with_parameters("encode", a_job_with_secret(), {{"FILE", "a"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(variable(*made, "TOKEN"), "none");
  EXPECT_THAT(with_parameters("encode", a_job_with_secret(), {{"FILE", "a"}, {"TOKEN", "x"}}).error().message,
              HasSubstr("TOKEN of the job encode is secret: say --param TOKEN=@FILE"));
}

TEST(JobParameters, SecretsAreAllThereAndNothingElse) {
  const auto message = [](const Texts& values) {
    const auto checked = check_secrets("encode", a_job_with_secret(), values);
    return checked ? std::string("good") : checked.error().message;
  };
  const auto of = [](const std::string& name) {
    Texts values;
    values[name] = "x";
    return values;
  };
  EXPECT_EQ(message(of("TOKEN")), "good");
  EXPECT_EQ(message({}), "the job encode needs its secret parameter TOKEN: say --param TOKEN=@FILE");
  EXPECT_THAT(message(of("FILE")), HasSubstr("FILE of the job encode is not secret"));
  EXPECT_THAT(message(of("KEY")), HasSubstr("no parameter \"KEY\": it takes FILE, QUALITY, TOKEN"));
}

TEST(JobInputs, AreGivenAndWellNamed) {
  v1::JobSpec job;
  auto& video = *job.add_inputs();
  video.set_name("video");
  auto& notes = *job.add_inputs();
  notes.set_name("notes");
  notes.set_optional(true);
  const auto message = [&](const std::string& name, const std::string& digest) {
    Texts inputs;
    if (!name.empty()) inputs[name] = digest;
    const auto checked = check_inputs("encode", job, inputs);
    return checked ? std::string("good") : checked.error().message;
  };
  const auto digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(message("video", digest), "good");
  EXPECT_EQ(message("", ""), "the job encode needs its input video: say --input video=FILE");
  EXPECT_THAT(message("notes", digest), HasSubstr("needs its input video"));
  EXPECT_THAT(message("film", digest), HasSubstr("has no input \"film\": it takes video, notes"));
  for (const auto* bad : {"", "sha256:", "../../etc/passwd", "sha256:AAAA"})
    EXPECT_THAT(message("video", bad), HasSubstr("is no digest of an input"));
  EXPECT_FALSE(is_input_digest("sha256:" + std::string(64, 'g')));
}

std::vector<std::string> faults_of(v1::StackSpec spec) {
  fill_defaults(spec);
  const auto valid = validate_stack("shop", spec);
  std::vector<std::string> faults;
  if (valid) return faults;
  for (const auto& fault : valid.error().fields) faults.push_back(fault.pointer + " " + fault.detail);
  return faults;
}

TEST(StackValidation, NeighboursAreServicesOfTheStack) {
  v1::StackSpec stack;
  auto& named = *stack.add_jobs();
  named.set_name("encode");
  auto& job = *named.mutable_spec() = a_job_with_secret();
  job.mutable_placement_rules()->add_affinities()->set_service("cache");
  EXPECT_THAT(faults_of(stack),
              testing::ElementsAre("/spec/jobs/0/spec/placementRules/affinities/0/service the stack has "
                                   "no service \"cache\""));
}

TEST(JobValidation, QueuesSecretsAndInputs) {
  v1::StackSpec stack;
  auto& named = *stack.add_jobs();
  named.set_name("encode");
  auto& job = *named.mutable_spec() = a_job_with_secret();
  auto& queue = *stack.add_queues();
  queue.set_name("gpu");
  job.set_queue("gpu");
  EXPECT_THAT(faults_of(stack), testing::IsEmpty());
  job.set_queue("cpu");
  EXPECT_THAT(faults_of(stack), testing::ElementsAre("/spec/jobs/0/spec/queue the stack has no queue \"cpu\""));
  job.set_queue("gpu");
  job.set_placement(v1::JobSpec::SPREAD_OUT);
  EXPECT_THAT(faults_of(stack),
              testing::ElementsAre("/spec/jobs/0/spec/placement is the queue's, gpu: leave it out here"));
  job.clear_placement();
  job.mutable_container()->mutable_command()->add_values("--token={{TOKEN}}");
  EXPECT_THAT(faults_of(stack),
              testing::ElementsAre(HasSubstr("/parameters/2/secret a secret can't be one of the command's words")));
  job.mutable_container()->mutable_command()->mutable_values()->RemoveLast();
  job.mutable_parameters(2)->set_default_value("x");
  EXPECT_THAT(faults_of(stack), testing::ElementsAre(HasSubstr("can't be said for TOKEN, which is secret")));
  job.mutable_parameters()->RemoveLast();
  for (int i = 0; i < 2; ++i) {
    auto& input = *job.add_inputs();
    input.set_name("video");
    input.set_path("/in/video");
  }
  EXPECT_THAT(faults_of(stack), testing::ElementsAre(HasSubstr("there is another input named video"),
                                                     HasSubstr("another input goes to /in/video too")));
  job.mutable_inputs()->RemoveLast();
  job.mutable_parameters()->DeleteSubrange(0, 1);
  job.mutable_schedule()->add_cron("@daily");
  EXPECT_THAT(faults_of(stack), testing::ElementsAre(HasSubstr("a scheduled run has nobody to give it video")));
  job.set_goes_with_runs(true);
  EXPECT_THAT(faults_of(stack), testing::Contains(HasSubstr("/goesWithRuns means nothing")));
}

}  // namespace
}  // namespace orchion::core
