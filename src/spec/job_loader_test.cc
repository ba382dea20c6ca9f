#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "core/timestamps.h"
#include "spec/loader.h"
#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kAll = R"(
services: {db: {image: b}}
x-orchion:
  jobs:
    encode:
      image: a
      command: [x, "{{FILE}}", "$$HOME", "${HOME}"]
      environment: {A: b}
      volumes: ["v:/v"]
      secrets: [s]
      deploy: {resources: {reservations: {memory: 1g}}, placement: {constraints: [node.labels.disk==ssd]}, labels: {l: m}}
      schedule: {cron: ["0 3 * * *", "@weekly"], time_zone: Europe/Berlin, paused: true, starting_deadline: 5m}
      parameters: {FILE: , QUALITY: 5, MORE: {default: "", description: d}}
      completions: 4
      parallelism: 2
      retries: 3
      backoff: 2s
      deadline: 1h
      priority: -5
      preempts: true
      concurrency: replace
      concurrency_group: g
      outputs: {o: /out, p: {path: /p, optional: true}}
      placement: spread
      keep: 48h
      on_node_loss: fence
      executor: docker
      tolerations: [gpu=only]
volumes: {v: }
secrets: {s: {environment: HOME}}
)";

TEST(JobLoader, ReadsWhatIsItsOwnAndWhatAServiceHas) {
  const auto stack = loaded(kAll);
  ASSERT_EQ(stack.services_size(), 1);
  ASSERT_EQ(stack.jobs_size(), 1);
  EXPECT_EQ(stack.jobs(0).name(), "encode");
  const auto& job = stack.jobs(0).spec();
  const auto& container = job.container();
  EXPECT_EQ(container.image(), "a");
  EXPECT_THAT(container.command().values(), ElementsAre("x", "{{FILE}}", "$HOME", "/home/me"));
  EXPECT_EQ(container.mounts(0).source(), "v");
  EXPECT_EQ(container.files(0).content(), "/home/me");
  EXPECT_EQ(container.networks(0).network(), "default");
  EXPECT_EQ(container.reservations().memory_bytes(), std::int64_t{1} << 30);
  EXPECT_EQ(container.executor(), "docker");
  EXPECT_THAT(job.constraints(), ElementsAre("node.labels.disk==ssd"));
  EXPECT_EQ(job.labels().at("l"), "m");
  EXPECT_THAT(job.schedule().cron(), ElementsAre("0 3 * * *", "@weekly"));
  EXPECT_EQ(job.schedule().time_zone(), "Europe/Berlin");
  EXPECT_TRUE(job.schedule().paused());
  EXPECT_EQ(job.schedule().starting_deadline().seconds(), 300);
  ASSERT_EQ(job.parameters_size(), 3);
  EXPECT_FALSE(job.parameters(0).has_default_value());
  EXPECT_EQ(job.parameters(1).default_value(), "5");
  EXPECT_TRUE(job.parameters(2).has_default_value());
  EXPECT_EQ(job.parameters(2).description(), "d");
  EXPECT_EQ(job.completions(), 4u);
  EXPECT_EQ(job.parallelism(), 2u);
  EXPECT_EQ(job.retries(), 3u);
  EXPECT_EQ(job.backoff().seconds(), 2);
  EXPECT_EQ(job.deadline().seconds(), 3600);
  EXPECT_EQ(job.priority(), -5);
  EXPECT_TRUE(job.preempts());
  EXPECT_EQ(job.concurrency(), v1::JobSpec::REPLACE_RUNNING);
  EXPECT_EQ(job.concurrency_group(), "g");
  EXPECT_EQ(job.outputs(0).path(), "/out");
  EXPECT_TRUE(job.outputs(1).optional());
  EXPECT_EQ(job.placement(), v1::JobSpec::SPREAD_OUT);
  EXPECT_EQ(job.keep().seconds(), 48 * 3600);
  EXPECT_EQ(job.on_node_loss(), v1::FENCE);
  ASSERT_EQ(job.placement_rules().tolerations_size(), 1);
  EXPECT_EQ(job.placement_rules().tolerations(0).value(), "only");
}

TEST(JobLoader, IsWrittenBackAsItWas) {
  const auto first = Folder(kAll).load();
  ASSERT_TRUE(first);
  const auto again = Folder(render("shop", first->spec)).load();
  ASSERT_TRUE(again) << again.error().message;
  google::protobuf::util::MessageDifferencer differ;
  std::string difference;
  differ.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differ.Compare(first->spec.jobs(0), again->spec.jobs(0))) << difference;
}

TEST(JobLoader, AFileMayHaveJobsAlone) {
  EXPECT_EQ(loaded("{x-orchion: {jobs: {a: {image: b}}}}").jobs_size(), 1);
}

TEST(JobLoader, AScheduleMayBeALine) {
  const auto stack = loaded("{x-orchion: {jobs: {a: {image: b, schedule: '@daily'}}}}");
  EXPECT_THAT(stack.jobs(0).spec().schedule().cron(), ElementsAre("@daily"));
}

TEST(JobLoader, FilesAreMergedLikeServices) {
  Folder folder("{x-orchion: {jobs: {a: {image: b, command: [x, y], environment: [A=1], schedule: '@daily'}}}}");
  folder.add("more.yaml", "{x-orchion: {jobs: {a: {command: [z], environment: {B: 2}, schedule: {cron: '@hourly'}}}}}");
  folder.options.files = {"compose.yaml", "more.yaml"};
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  const auto& job = stack->spec.jobs(0).spec();
  EXPECT_THAT(job.container().command().values(), ElementsAre("z"));
  EXPECT_EQ(job.container().environment_size(), 2);
  EXPECT_THAT(job.schedule().cron(), ElementsAre("@hourly"));
}

TEST(JobLoader, IncludedFilesBringTheirJobs) {
  Folder folder("{services: {web: {image: w}}, include: [inc.yaml]}");
  folder.add("inc.yaml", "{x-orchion: {jobs: {a: {image: b}}}}");
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->spec.jobs_size(), 1);
}

std::string job_error(const std::string& job) {
  return error_of("{x-orchion: {jobs: {a: {image: b, " + job + "}}}}");
}

TEST(JobLoader, RefusesWithAPlace) {
  EXPECT_EQ(job_error("schedule: '61 * * * *'"),
            "compose.yaml:1:45: the line `61 * * * *` there is no minute 61: write 0 to 59");
  EXPECT_THAT(job_error("schedule: '0 0 30 2 *'"), HasSubstr("is never due"));
  EXPECT_THAT(job_error("schedule: {cron: '@daily', time_zone: Mars}"), HasSubstr("no time zone \"Mars\""));
  EXPECT_THAT(job_error("schedule: {zone: x}"), HasSubstr("`schedule` has no `cron`"));
  EXPECT_THAT(job_error("x-orchion: {executor: docker}"), HasSubstr("write its keys into the job itself"));
  EXPECT_THAT(job_error("restart: always"), HasSubstr("`restart` isn't supported: say `retries`"));
  EXPECT_THAT(job_error("depends_on: [c]"), HasSubstr("`depends_on` isn't supported"));
  EXPECT_THAT(job_error("deploy: {replicas: 3}"), HasSubstr("`replicas` means nothing to a job"));
  EXPECT_THAT(job_error("concurrency: both"),
              HasSubstr("`both` is no concurrency of a job: use one of queue, skip, replace, side-by-side"));
  EXPECT_THAT(job_error("completions: 0"), HasSubstr("completions"));
  EXPECT_THAT(job_error("deadline: 0s"), HasSubstr("leaves no time to run"));
  EXPECT_THAT(job_error("outputs: {o: out}"), HasSubstr("write its absolute path"));
  EXPECT_THAT(job_error("retrys: 3"), HasSubstr("did you mean `retries`?"));
  EXPECT_THAT(job_error("volumes: ['w:/w']"), HasSubstr("`w` isn't declared"));
  EXPECT_THAT(job_error("concurrency: side-by-side, concurrency_group: g"), HasSubstr("keep one of the two"));
}

TEST(JobLoader, AProgramOfTheNodeIsGivenNoFiles) {
  const auto program = [](const std::string& rest) {
    return error_of("{x-orchion: {jobs: {a: {executor: process, command: [b], " + rest + "}}}}");
  };
  EXPECT_EQ(program("inputs: {i: /in}"),
            "compose.yaml:1:66: `inputs` mean nothing to a program of the node, which has the node's own files: remove "
            "them, or the executor");
  EXPECT_THAT(program("outputs: {o: /out}"), HasSubstr("`outputs` mean nothing to a program of the node"));
  EXPECT_EQ(job_error("executor: docker, inputs: {i: /in}, outputs: {o: /out}"), "no error");
}

TEST(JobLoader, ReadsQueues) {
  const auto stack = loaded(
      "{x-orchion: {queues: {gpu: {slots: 2, placement: bin-pack}, any: }, jobs: {a: {image: b, queue: gpu}, c: "
      "{image: "
      "b, queue: any, concurrency: skip}}}}");
  ASSERT_EQ(stack.queues_size(), 2);
  EXPECT_EQ(stack.queues(0).name(), "gpu");
  EXPECT_EQ(stack.queues(0).spec().slots(), 2u);
  EXPECT_EQ(stack.queues(0).spec().placement(), v1::JobSpec::BIN_PACK);
  EXPECT_EQ(stack.queues(1).spec().slots(), 0u) << "any number";
  EXPECT_EQ(stack.jobs(0).spec().queue(), "gpu");
  EXPECT_EQ(stack.jobs(0).spec().concurrency(), v1::JobSpec::SIDE_BY_SIDE) << "the queue says how many";
  EXPECT_EQ(stack.jobs(1).spec().concurrency(), v1::JobSpec::SKIP);
}

TEST(JobLoader, QueuesInputsAndSecretsAreWrittenBack) {
  const auto first = Folder(
                         "{x-orchion: {queues: {gpu: {slots: 2, placement: spread}}, jobs: {a: {image: b, queue: gpu, "
                         "concurrency: queue, parameters: {T: {secret: true}}, inputs: {v: /in/v, w: {path: /w, "
                         "optional: true}}}}}}")
                         .load();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->spec.jobs(0).spec().parameters(0).secret());
  EXPECT_EQ(first->spec.jobs(0).spec().inputs(0).path(), "/in/v");
  EXPECT_TRUE(first->spec.jobs(0).spec().inputs(1).optional());
  const auto again = Folder(render("shop", first->spec)).load();
  ASSERT_TRUE(again) << again.error().message;
  google::protobuf::util::MessageDifferencer differ;
  std::string difference;
  differ.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differ.Compare(first->spec, again->spec)) << difference;
}

TEST(JobLoader, IncludedFilesBringTheirQueues) {
  Folder folder("{x-orchion: {jobs: {a: {image: b, queue: gpu}}}, include: [inc.yaml]}");
  folder.add("inc.yaml", "{services: {web: {image: w}}, x-orchion: {queues: {gpu: {slots: 3}}}}");
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->spec.queues(0).spec().slots(), 3u);
}

TEST(JobLoader, RefusesQueuesWithAPlace) {
  const auto with = [](const std::string& queues, const std::string& job) {
    return error_of("{x-orchion: {queues: {" + queues + "}, jobs: {a: {image: b, " + job + "}}}}");
  };
  EXPECT_EQ(
      with("gpu: {slots: 2}", "queue: cpu"),
      "compose.yaml:1:69: there is no queue `cpu`: describe it under `x-orchion`, as `queues: {cpu: {slots: 2}}`");
  EXPECT_THAT(with("gpu: {slots: 2}", "queue: gpu, placement: spread"),
              HasSubstr("`placement` is said by the queue `gpu`: remove it here"));
  EXPECT_THAT(with("gpu: {slots: 0}", "queue: gpu"), HasSubstr("slots"));
  EXPECT_THAT(with("gpu: {slot: 1}", "queue: gpu"), HasSubstr("did you mean `slots`?"));
  EXPECT_THAT(with("GPU 1: {slots: 1}", "priority: 1"), HasSubstr("`GPU 1` can't name a queue"));
  EXPECT_THAT(with("gpu: {placement: anywhere}", "queue: gpu"), HasSubstr("is no placement of a queue: use one of"));
  EXPECT_THAT(job_error("inputs: {o: in}"), HasSubstr("the input `o` needs a file or folder of the container"));
}

TEST(JobLoader, ItsNameIsNobodyElses) {
  EXPECT_THAT(error_of("{services: {a: {image: b}}, x-orchion: {jobs: {a: {image: b}}}}"), HasSubstr("rename one"));
  EXPECT_THAT(error_of("{services: {w: {image: b, depends_on: [a]}}, x-orchion: {jobs: {a: {image: b}}}}"),
              HasSubstr("`a` is a job, which services can't wait for"));
  EXPECT_THAT(error_of("{services: {w: {image: b}}, x-orchion: {job: {}}}"), HasSubstr("did you mean `jobs`?"));
}

}  // namespace
}  // namespace orchion::spec
