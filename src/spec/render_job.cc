#include "spec/render_service.h"

#include "spec/choices.h"

namespace orchion::spec {

namespace {

class JobRenderer {
 public:
  JobRenderer(const v1::JobSpec& spec, RenderWriter& yaml) : spec_(spec), yaml_(yaml) {}

  void run() {
    v1::ServiceSpec part;
    *part.mutable_container() = spec_.container();
    *part.mutable_constraints() = spec_.constraints();
    *part.mutable_labels() = spec_.labels();
    *part.mutable_placement() = spec_.placement_rules();
    render_service_part(part, yaml_);
    schedule();
    parameters();
    yaml_.number_if("completions", spec_.completions());
    yaml_.number_if("parallelism", spec_.parallelism());
    yaml_.number_if("retries", spec_.retries());
    yaml_.duration("backoff", spec_.has_backoff(), spec_.backoff());
    yaml_.duration("deadline", spec_.has_deadline(), spec_.deadline());
    yaml_.number_if("priority", spec_.priority());
    yaml_.flag("preempts", spec_.preempts());
    concurrency();
    yaml_.field("queue", spec_.queue());
    yaml_.field("concurrency_group", spec_.concurrency_group());
    artifacts("inputs", spec_.inputs());
    artifacts("outputs", spec_.outputs());
    if (spec_.placement() != v1::JobSpec::LEAST_LOADED) yaml_.field("placement", placement_word(spec_.placement()));
    yaml_.duration("keep", spec_.has_keep(), spec_.keep());
    if (spec_.on_node_loss() != v1::ON_NODE_LOSS_UNSPECIFIED)
      yaml_.field("on_node_loss", spec_.on_node_loss() == v1::FENCE  ? "fence"
                                  : spec_.on_node_loss() == v1::WAIT ? "wait"
                                                                     : "replace");
    yaml_.field("executor", spec_.container().executor());
    render_placement_rules(spec_.placement_rules(), yaml_);
    render_own_gpus(spec_.container(), yaml_);
  }

 private:
  void schedule() {
    if (!spec_.has_schedule()) return;
    const auto& schedule = spec_.schedule();
    yaml_.key("schedule");
    yaml_.begin_map();
    yaml_.list("cron", schedule.cron());
    yaml_.field("time_zone", schedule.time_zone());
    yaml_.flag("paused", schedule.paused());
    yaml_.duration("starting_deadline", schedule.has_starting_deadline(), schedule.starting_deadline());
    yaml_.end_map();
  }

  void parameters() {
    if (spec_.parameters().empty()) return;
    yaml_.key("parameters");
    yaml_.begin_map();
    for (const auto& parameter : spec_.parameters()) {
      yaml_.key(parameter.name());
      yaml_.begin_map();
      if (parameter.has_default_value()) {
        yaml_.key("default");
        yaml_.literal(parameter.default_value());
      }
      yaml_.field("description", parameter.description());
      yaml_.flag("secret", parameter.secret());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void artifacts(std::string_view key, const google::protobuf::RepeatedPtrField<v1::JobArtifact>& artifacts) {
    if (artifacts.empty()) return;
    yaml_.key(key);
    yaml_.begin_map();
    for (const auto& artifact : artifacts) {
      yaml_.key(artifact.name());
      yaml_.begin_map();
      yaml_.field("path", artifact.path());
      yaml_.flag("optional", artifact.optional());
      yaml_.end_map();
    }
    yaml_.end_map();
  }

  void concurrency() {
    switch (spec_.concurrency()) {
      case v1::JobSpec::SKIP: return yaml_.field("concurrency", "skip");
      case v1::JobSpec::REPLACE_RUNNING: return yaml_.field("concurrency", "replace");
      case v1::JobSpec::SIDE_BY_SIDE: return yaml_.field("concurrency", "side-by-side");
      // In a queue it isn't what goes without saying.
      default: return yaml_.field("concurrency", spec_.queue().empty() ? "" : "queue");
    }
  }

  const v1::JobSpec& spec_;
  RenderWriter& yaml_;
};

}  // namespace

void render_queues(const v1::StackSpec& spec, RenderWriter& yaml) {
  if (spec.queues().empty()) return;
  yaml.key("queues");
  yaml.begin_map();
  for (const auto& queue : spec.queues()) {
    yaml.key(queue.name());
    yaml.begin_map();
    yaml.number_if("slots", queue.spec().slots());
    if (queue.spec().placement() != v1::JobSpec::LEAST_LOADED)
      yaml.field("placement", placement_word(queue.spec().placement()));
    yaml.end_map();
  }
  yaml.end_map();
}

void render_job(const v1::NamedJob& job, RenderWriter& yaml) {
  yaml.key(job.name());
  yaml.begin_map();
  JobRenderer(job.spec(), yaml).run();
  yaml.end_map();
}

}  // namespace orchion::spec
