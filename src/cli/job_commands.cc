#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/log_options.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

void add_end_options(CLI::App* command, JobRunOptions& options) {
  command->add_flag("--wait", options.wait, "Return when it is over, with the exit code of its container");
  command->add_flag("--follow", options.follow, "The same, and print its output meanwhile");
  command->add_option("--timeout", options.timeout, "How long to wait; the run goes on after that")
      ->check(check_duration);
}

void add_job_run(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<JobRunOptions>();
  auto* run = tree.add(group, "run", "Run a job now, or with --image a container as one",
                       [options](Context& context) { return run_job_run(context, *options); });
  run->add_option("--param", options->parameters, "NAME=VALUE, a parameter of the job; a secret one's NAME=@FILE or -")
      ->allow_extra_args(false)
      ->check(check_variable);
  run->add_option("--input", options->inputs, "NAME=FILE, or a folder: an input of the job")->allow_extra_args(false);
  run->add_option("--image", options->image, "Make a job of this image, which goes with its runs");
  add_container_options(run, *options);
  add_end_options(run, *options);
  run->add_option("JOB", options->what, "STACK/JOB, or JOB of this folder's stack")->required();
  run->add_option("COMMAND", options->command, "After --, with --image; instead of the image's");
}

void add_job_retry(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<JobRunOptions>();
  auto* retry = tree.add(group, "retry", "Run again what an ended run was, with the same parameters",
                         [options](Context& context) { return run_job_retry(context, *options); });
  add_end_options(retry, *options);
  retry->add_option("RUN", options->what, "STACK/JOB.N, or STACK/JOB for its newest")->required();
}

void add_job_logs(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<LogsOptions>();
  auto* logs = tree.add(group, "logs", "Print what the tasks of a run print",
                        [options](Context& context) { return run_job_logs(context, *options); });
  logs->add_option("RUN", options->what, "STACK/JOB.N, or STACK/JOB for its newest")->required();
  add_log_options(*logs, *options);
}

void add_job_artifact(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<JobArtifactOptions>();
  auto* artifact = tree.add(group, "artifact", "Fetch an output of a run",
                            [options](Context& context) { return run_job_artifact(context, *options); });
  artifact->add_option("RUN", options->run, "STACK/JOB.N, or STACK/JOB for its newest")->required();
  artifact->add_option("NAME", options->name, "Of the output")->required();
  bound(artifact->add_option("--index", options->index, "Of the task that made it"), 0,
        std::numeric_limits<std::uint32_t>::max());
  artifact->add_option("--to", options->file, "A file or folder of this machine, or - for a tar (default: here)");
}

}  // namespace

void add_job_commands(CommandTree& tree) {
  auto& group = *tree.add_group("job", "What runs to completion: when asked, or by a schedule");
  add_job_run(tree, group);
  tree.add(group, "ls", "List jobs", run_job_ls);
  tree.add(group, "queues", "List queues: who is at work, who waits, and who is next", run_job_queues);
  auto jobs = std::make_shared<std::vector<std::string>>();
  tree.add(group, "rm", "Remove jobs with their runs", [jobs](Context& context) { return run_job_rm(context, *jobs); })
      ->add_option("JOB", *jobs, "STACK/JOB, or JOB of this folder's stack")
      ->required();
  auto what = std::make_shared<std::string>();
  tree.add(group, "inspect", "Everything about a job or a run",
           [what](Context& context) { return run_job_inspect(context, *what); })
      ->add_option("RUN", *what, "STACK/JOB or STACK/JOB.N")
      ->required();
  auto job = std::make_shared<std::string>();
  tree.add(group, "history", "List runs, those that ended too",
           [job](Context& context) { return run_job_history(context, *job); })
      ->add_option("JOB", *job, "STACK/JOB, or JOB of this folder's stack; all where left out");
  auto runs = std::make_shared<std::vector<std::string>>();
  tree.add(group, "cancel", "End runs before they are over",
           [runs](Context& context) { return run_job_cancel(context, *runs); })
      ->add_option("RUN", *runs, "STACK/JOB.N, or STACK/JOB for its newest")
      ->required();
  add_job_retry(tree, group);
  add_job_logs(tree, group);
  add_job_artifact(tree, group);
}

}  // namespace orchion::cli
