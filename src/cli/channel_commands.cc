#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/value_check.h"

namespace orchion::cli {

namespace {

void add_for_channel(CommandTree& tree, CLI::App& group, const std::string& name, const std::string& help,
                     int (*run)(Context&, const std::string&)) {
  auto channel = std::make_shared<std::string>();
  tree.add(group, name, help, [channel, run](Context& context) { return run(context, *channel); })
      ->add_option("CHANNEL", *channel)
      ->required();
}

// Exactly one of them; run_channel_set() says so.
void add_targets(CLI::App* set, ChannelOptions& options) {
  set->add_option("--webhook", options.webhook, "URL that takes signed JSON (Standard Webhooks)");
  set->add_option("--ntfy", options.ntfy, "URL of an ntfy server");
  set->add_flag("--discord", options.discord, "A Discord channel, whose webhook's URL the secret file holds");
  set->add_flag("--slack", options.slack, "A Slack channel, whose webhook's URL the secret file holds");
  set->add_option("--gotify", options.gotify, "URL of a Gotify server");
  set->add_option("--email", options.email, "HOST:PORT of a mail server");
}

void add_rule(CLI::App* set, ChannelOptions& options) {
  set->add_option("--on", options.on, "Reasons of events to tell, as patterns: \"Task*\"; else warnings and errors")
      ->allow_extra_args(false);
  offer(set->add_option("--severity", options.severity, "The least severity to tell"), {"info", "warning", "error"});
  set->add_option("--stacks", options.stacks, "Only of stacks that fit this pattern")->allow_extra_args(false);
  set->add_option("--services", options.services, "Only of services that fit this pattern")->allow_extra_args(false);
  set->add_option("--cool-down", options.cool_down, "The same about the same isn't told again for so long")
      ->check(check_duration);
  set->add_option("--group", options.group, "One message of all that comes within so long")->check(check_duration);
  set->add_flag("--recovery", options.recovery, "Tell, too, when what was told is good again");
}

void add_set(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<ChannelOptions>();
  auto* set = tree.add(group, "set", "Make a channel, or change it as a whole",
                       [options](Context& context) { return run_channel_set(context, *options); });
  set->add_option("CHANNEL", options->name)->required()->check(check_name);
  add_targets(set, *options);
  set->add_option("--secret-file", options->secret_file,
                  "File with the webhook's whsec_... (a second line while it changes), the token of ntfy or Gotify, "
                  "Discord's or Slack's URL, or the password for e-mail; - for standard input");
  set->add_option("--topic", options->topic, "ntfy's topic");
  set->add_flag("--implicit-tls", options->implicit_tls, "E-mail: TLS from the first byte instead of STARTTLS");
  set->add_option("--user", options->user, "E-mail: who logs in");
  set->add_option("--from", options->from, "E-mail: the sender's address");
  set->add_option("--to", options->to, "E-mail: a recipient's address")->allow_extra_args(false);
  add_rule(set, *options);
  set->add_flag("--allow-private", options->allow_private, "Also to loopback and private addresses, and by http://");
}

}  // namespace

void add_channel_commands(CommandTree& tree) {
  auto& channel = *tree.add_group("channel", "Where people are told what happens");
  tree.add(channel, "ls", "List channels", run_channel_ls);
  add_for_channel(tree, channel, "inspect", "Everything about a channel but its secrets", run_channel_inspect);
  add_set(tree, channel);
  add_for_channel(tree, channel, "rm", "Take a channel away", run_channel_rm);
  add_for_channel(tree, channel, "test", "Send a test message and say what the receiver answered", run_channel_test);
}

}  // namespace orchion::cli
