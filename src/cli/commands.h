#pragma once

// One function a command; its options as plain values.

#include <optional>
#include <string>
#include <vector>

#include "cli/build_images.h"
#include "cli/container_options.h"
#include "cli/context.h"
#include "cli/target.h"

namespace orchion::cli {

struct UpOptions {
  FileOptions files;
  bool detach = false;         // don't wait until everything runs
  bool healthy = false;        // wait until it is healthy and ready too
  std::string timeout = "5m";  // of that wait
  BuildMode build = BuildMode::kMissing;
  BuilderOptions builder;
};
int run_up(Context& context, const UpOptions& options);

struct PlanOptions {
  FileOptions files;
  bool exit_code = false;  // tell by it whether anything would change
};
int run_plan(Context& context, const PlanOptions& options);
int run_config(Context& context, const FileOptions& options);

struct BuildOptions {
  FileOptions files;
  std::vector<std::string> services;  // empty: all that have a `build`
  bool push = false;                  // to the images' registries, too
  BuilderOptions builder;
};
int run_build(Context& context, const BuildOptions& options);

struct DownOptions {
  FileOptions files;
  bool volumes = false;
  std::string timeout = "5m";
};
int run_down(Context& context, const DownOptions& options);
int run_stop_all(Context& context, const std::string& timeout);

// The whole state of the cluster into a file, which is whole or not there; "-": standard output.
int run_backup(Context& context, const std::string& file);
int run_servers(Context& context);

int run_ps(Context& context, bool all, const FileOptions& files);

// How the tasks are: kExitFailed where one doesn't run or its check fails, not while its first checks are awaited.
// `what`: STACK/SERVICE, SERVICE, STACK; empty: as `files` say; STACK/SERVICE.N for all about its checks.
int run_health(Context& context, const FileOptions& files, const std::string& what);

struct InspectOptions {
  std::string what;
  bool previous = false;  // of a task, with those that were in its slot before
};
int run_inspect(Context& context, const InspectOptions& options);

// What tasks use: live on a terminal, else once.
struct TopOptions {
  std::string what;  // as run_health() takes it
  bool no_stream = false;
  bool follow = false;  // also where there is no terminal
  std::string sort = "cpu";
  std::string interval = "1s";
};
int run_top(Context& context, const TopOptions& options);
int run_stack_ls(Context& context);
struct InitOptions {
  std::string starter;  // empty: they are listed
  std::string folder = ".";
  bool list = false;
};
int run_init(Context& context, const InitOptions& options);

// What a Compose file's key means; every key of the file itself where `field` is empty.
int run_explain(Context& context, const std::string& field);

int run_scale(Context& context, const std::vector<std::string>& targets);

// To what is done what the command says; see find_stack_parts().
struct ServicesOptions {
  std::vector<std::string> what;
  bool detach = false;  // don't wait until it is done
  std::string timeout = "5m";
};
int run_restart(Context& context, const ServicesOptions& options);
int run_stop(Context& context, const ServicesOptions& options);
int run_start(Context& context, const ServicesOptions& options);
int run_rm(Context& context, const ServicesOptions& options);

// `condition`: running, healthy, completed, stopped or removed.
int run_wait(Context& context, const std::vector<std::string>& what, const std::string& condition,
             const std::string& timeout);

inline constexpr const char* kDetachKeys = "ctrl-p,ctrl-q";

struct RunOptions : ContainerOptions {
  std::string what;  // an image, or a service of the file that lies here
  std::string name;  // of the service; empty: made up
  bool detach = false;
  bool keep = false;  // not removed when it has ended
  std::string restart;
  std::vector<std::string> ports;
  std::string timeout = "5m";
  bool interactive = false;
  bool tty = false;
  std::string detach_keys = kDetachKeys;
};
int run_run(Context& context, const RunOptions& options);

struct LogsOptions {
  std::string what;  // empty: the whole stack
  bool all = false;  // of all stacks
  std::string node;
  std::string task;  // its uid
  bool previous = false;
  bool follow = false;
  std::string since;
  std::string until;
  std::optional<std::uint32_t> tail;
  std::string grep;
  bool fixed = false;
  std::string level;
  std::vector<std::string> fields;  // NAME=VALUE
  bool timestamps = false;
  bool no_prefix = false;
};
int run_logs(Context& context, const LogsOptions& options);

struct JobRunOptions : ContainerOptions {
  std::string what;                     // STACK/JOB or JOB
  std::string image;                    // of a job that is made on the spot; empty: it is there
  std::vector<std::string> parameters;  // NAME=VALUE; of a secret one NAME=@FILE, or NAME=- for standard input
  std::vector<std::string> inputs;      // NAME=PATH
  bool wait = false;
  bool follow = false;
  std::string timeout;  // of waiting; empty: as long as it takes
};
int run_job_run(Context& context, const JobRunOptions& options);
int run_job_retry(Context& context, const JobRunOptions& options);
int run_job_rm(Context& context, const std::vector<std::string>& what);
int run_job_ls(Context& context);
int run_job_queues(Context& context);
int run_job_inspect(Context& context, const std::string& what);
int run_job_history(Context& context, const std::string& what);
int run_job_cancel(Context& context, const std::vector<std::string>& what);
int run_job_logs(Context& context, const LogsOptions& options);

struct JobArtifactOptions {
  std::string run;   // STACK/JOB.N, or STACK/JOB for its newest
  std::string name;  // of the output
  std::uint32_t index = 0;
  std::string file;  // empty: here, under its own name; "-": a tar on standard output
};
int run_job_artifact(Context& context, const JobArtifactOptions& options);

struct ExecOptions {
  std::string what;
  std::vector<std::string> command;
  bool interactive = false;
  bool tty = false;
  std::string user;
  std::string working_dir;
  std::vector<std::string> environment;  // NAME=value
};
int run_exec(Context& context, const ExecOptions& options);

struct AttachOptions {
  std::string what;
  bool no_stdin = false;
  std::string detach_keys = kDetachKeys;
};
int run_attach(Context& context, const AttachOptions& options);

// One of the two is SERVICE:PATH, the other a path on this machine, or - for a tar.
struct CpOptions {
  std::string source;
  std::string destination;
  bool follow_link = false;
  bool archive = false;  // owners and special permissions too
};
int run_cp(Context& context, const CpOptions& options);

struct PortForwardOptions {
  std::string what;
  std::vector<std::string> ports;  // "[LOCAL:]REMOTE"
  std::string address = "127.0.0.1";
};
int run_port_forward(Context& context, const PortForwardOptions& options);

struct EventsOptions {
  std::string what;  // STACK, STACK/SERVICE or STACK/SERVICE.N; empty: all
  bool follow = false;
  std::string since;
  std::string node;
  std::string reason;
};
int run_events(Context& context, const EventsOptions& options);

int run_node_ls(Context& context);
int run_node_inspect(Context& context, const std::string& name);
int run_node_containers(Context& context, const std::string& name);
int run_node_availability(Context& context, const std::string& name, const std::string& availability);
int run_node_invite(Context& context);
int run_node_rm(Context& context, const std::string& name, bool force);

int run_image_ls(Context& context);
int run_image_pull(Context& context, const std::string& reference);
int run_image_push(Context& context, const std::string& reference, const std::string& destination, bool plain_http);
int run_image_import(Context& context, const std::string& file, const std::string& name);
// `file`: "-" for standard output.
int run_image_save(Context& context, const std::vector<std::string>& names, const std::string& file);
int run_image_tag(Context& context, const std::string& reference, const std::string& name);
int run_image_login(Context& context, const std::string& name, std::string user, bool password_from_input);
int run_image_rm(Context& context, const std::string& reference);
int run_image_prune(Context& context);

// What is told where. Secrets come from a file, so that they stand in no list of processes and in no shell's history.
struct ChannelOptions {
  std::string name;
  std::string webhook;  // an URL; of what follows one is said
  std::string ntfy;     // an URL
  std::string topic;    // of ntfy
  bool discord = false;
  bool slack = false;
  std::string gotify;         // an URL
  std::string email;          // HOST:PORT of the server
  bool implicit_tls = false;  // else STARTTLS
  std::string user;
  std::string from;
  std::vector<std::string> to;
  std::string secret_file;  // "-" for standard input
  std::vector<std::string> on;
  std::string severity;
  std::vector<std::string> stacks;
  std::vector<std::string> services;
  std::string cool_down;
  std::string group;
  bool recovery = false;
  bool allow_private = false;
};
int run_channel_set(Context& context, const ChannelOptions& options);
int run_channel_ls(Context& context);
int run_channel_inspect(Context& context, const std::string& name);
int run_channel_rm(Context& context, const std::string& name);
int run_channel_test(Context& context, const std::string& name);

int run_version(Context& context, const std::string& version);

}  // namespace orchion::cli
