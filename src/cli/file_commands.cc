#include "cli/command_tree.h"
#include "cli/commands.h"

namespace orchion::cli {

namespace {

void add_init(CommandTree& tree) {
  auto options = std::make_shared<InitOptions>();
  auto* init = tree.add("init", "Write a stack to begin with: `orchion init wordpress --dir blog`",
                        [options](Context& context) { return run_init(context, *options); });
  init->add_option("STARTER", options->starter, "Its name; all are listed where left out");
  init->add_option("--dir", options->folder, "Where to; made where it isn't there")->capture_default_str();
  init->add_flag("--list", options->list, "List the starters");
}

void add_explain(CommandTree& tree) {
  auto field = std::make_shared<std::string>();
  tree.add("explain", "Say what a key of a Compose file means",
           [field](Context& context) { return run_explain(context, *field); })
      ->add_option("FIELD", *field, "Like services.healthcheck.interval; the file's own keys where left out");
}

}  // namespace

void add_file_commands(CommandTree& tree) {
  add_init(tree);
  add_explain(tree);
}

}  // namespace orchion::cli
