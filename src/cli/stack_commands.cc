#include "cli/command_tree.h"
#include "cli/commands.h"

namespace orchion::cli {

namespace {

void add_builder(CLI::App* command, BuilderOptions& builder) {
  offer(command->add_option("--builder", builder.builder, "What builds; ORCHION_BUILDER says it too"),
        {"buildah", "podman", "docker"});
}

void add_up(CommandTree& tree) {
  auto options = std::make_shared<UpOptions>();
  auto* up = tree.add("up", "Start or change a stack, and wait until it runs",
                      [options](Context& context) { return run_up(context, *options); });
  add_file_options(up, options->files);
  auto* detach = up->add_flag("-d,--detach", options->detach, "Don't wait until everything runs");
  auto* build = up->add_flag_callback(
      "--build", [options] { options->build = BuildMode::kAlways; }, "Build the images of services anew");
  up->add_flag_callback(
        "--no-build", [options] { options->build = BuildMode::kNever; }, "Build none, not even what is missing")
      ->excludes(build);
  add_builder(up, options->builder);
  up->add_flag("--wait", options->healthy, "Wait until what is checked is healthy too, not only until everything runs")
      ->excludes(detach);
  add_timeout(up, options->timeout);
}

void add_build(CommandTree& tree) {
  auto options = std::make_shared<BuildOptions>();
  auto* build = tree.add("build", "Make the images of services whose file says how",
                         [options](Context& context) { return run_build(context, *options); });
  build->add_option("SERVICE", options->services, "Those alone; all that have a `build` where left out");
  add_file_options(build, options->files);
  add_builder(build, options->builder);
  build->add_flag("--no-cache", options->builder.flags.no_cache, "Do every step anew");
  build->add_flag("--pull", options->builder.flags.pull, "Ask registries for newer base images");
  build->add_option("--build-arg", options->builder.flags.arguments, "NAME=VALUE, or NAME for this shell's value")
      ->allow_extra_args(false);
  build->add_flag("--push", options->push, "Send them to their registries too");
}

void add_plan_and_config(CommandTree& tree) {
  auto options = std::make_shared<PlanOptions>();
  auto* plan = tree.add("plan", "Show what `up` would change",
                        [options](Context& context) { return run_plan(context, *options); });
  add_file_options(plan, options->files);
  plan->add_flag("--exit-code", options->exit_code, "End with 10 where something would change, with 0 where nothing");
  auto config = std::make_shared<FileOptions>();
  add_file_options(tree.add("config", "Print the file as it is understood",
                            [config](Context& context) { return run_config(context, *config); }),
                   *config);
}

void add_down(CommandTree& tree) {
  auto options = std::make_shared<DownOptions>();
  auto* down =
      tree.add("down", "Stop and remove a stack", [options](Context& context) { return run_down(context, *options); });
  add_file_options(down, options->files);
  down->add_flag("-v,--volumes", options->volumes, "Remove its volumes and their data too");
  add_timeout(down, options->timeout);

  auto timeout = std::make_shared<std::string>(options->timeout);
  auto* stop_all = tree.add("stop-all", "Stop every stack that orchion started",
                            [timeout](Context& context) { return run_stop_all(context, *timeout); });
  add_timeout(stop_all, *timeout);
}

}  // namespace

void add_stack_commands(CommandTree& tree) {
  add_up(tree);
  add_build(tree);
  add_plan_and_config(tree);
  add_down(tree);
  auto* stack = tree.add_group("stack", "Stacks");
  tree.add(*stack, "ls", "List stacks", run_stack_ls);
}

}  // namespace orchion::cli
