// What people type, for the head of each command's help. A test has the parser read every one of them.

#include <map>
#include <string>

#include "cli/command_tree.h"

namespace orchion::cli {

namespace {

using Examples = std::map<std::string, std::string>;

const Examples kOfStacks = {
    {"orchion", R"(
  orchion up                              start what ./compose.yaml describes, and wait until it runs
  orchion up -f shop.yaml --stack shop    another file, another name
  orchion plan                            show what `up` would change
  orchion ps                              what runs
  orchion top                             and what it uses, live
  orchion logs -f shop/web                follow the output of one service
  orchion exec -it shop/web.1 -- sh       a shell in one container
  orchion scale shop/web=3
  orchion down --volumes                  stop the stack and remove its data
)"},
    {"orchion up", R"(
  orchion up                              start what ./compose.yaml describes, and wait until it runs
  orchion up -f shop.yaml --stack shop    another file, another name
  orchion up -d                           don't wait
  orchion up --build                      build the services' images anew before
)"},
    {"orchion build", R"(
  orchion build                           the images of all services that have a `build`
  orchion build web --no-cache            one of them, every step anew
  orchion build --build-arg VERSION=2     over what the file says
)"},
    {"orchion plan", R"(
  orchion plan                            what would be created, changed and removed
  orchion plan --exit-code                10 where anything would change: for scripts
  orchion plan -o json                    the same as data
)"},
    {"orchion config", R"(
  orchion config                          with variables filled in and files merged
  orchion config -f a.yaml -f b.yaml      what two files say together
)"},
    {"orchion down", R"(
  orchion down                            the stack of ./compose.yaml
  orchion down --stack shop
  orchion down --volumes                  its data too
)"},
    {"orchion stop-all", R"(
  orchion stop-all                        volumes are kept
  orchion stop-all --yes                  without a question
)"},
    {"orchion stack", R"(
  orchion stack ls                        each with how many of its tasks run
  orchion stack ls -o name                their names alone
)"},
    {"orchion stack ls", R"(
  orchion stack ls                        each with how many of its tasks run
  orchion stack ls -o name                their names alone
)"},
    {"orchion init", R"(
  orchion init                            what there is to begin with
  orchion init wordpress --dir blog       write one, with new passwords
)"},
    {"orchion explain", R"(
  orchion explain services.healthcheck    what may stand below it
  orchion explain restart                 the path may be left out
)"},
};

const Examples kOfJobs = {
    {"orchion job", R"(
  orchion job run encode --param FILE=a.mov --follow
  orchion job ls                          what there is, and when each is due
  orchion job history encode              how its runs ended
)"},
    {"orchion job run", R"(
  orchion job run shop/backup             and return
  orchion job run backup --wait           with the exit code of its container
  orchion job run encode --param FILE=a.mov --follow
  orchion job run encode --input video=./trip.mov
  orchion job run publish --param TOKEN=@token.txt         of a parameter that is secret
  orchion job run --image alpine:3 once -- echo hi
)"},
    {"orchion job queues", R"(
  orchion job queues                      of all stacks
  orchion job queues --stack shop -o wide
)"},
    {"orchion job rm", R"(
  orchion job rm shop/once                with its runs, and what they left
)"},
    {"orchion job ls", R"(
  orchion job ls                          of all stacks
  orchion job ls --stack shop
)"},
    {"orchion job inspect", R"(
  orchion job inspect shop/backup         the job
  orchion job inspect shop/backup.7       one run of it
)"},
    {"orchion job history", R"(
  orchion job history                     of all jobs, the newest of each first
  orchion job history shop/backup -o wide
)"},
    {"orchion job cancel", R"(
  orchion job cancel shop/backup.7
  orchion job cancel shop/backup          its newest run
)"},
    {"orchion job retry", R"(
  orchion job retry shop/backup.7 --wait  with the same parameters
)"},
    {"orchion job logs", R"(
  orchion job logs shop/backup.7
  orchion job logs -f shop/backup         of its newest run, to its end
)"},
    {"orchion job artifact", R"(
  orchion job artifact shop/backup.7 dump               into this folder
  orchion job artifact shop/backup dump --to - | tar x  of its newest run
)"},
};

const Examples kOfTasks = {
    {"orchion ps", R"(
  orchion ps                              of this folder's stack, elsewhere of all
  orchion ps -a --stack shop              those too that ended and were replaced
  orchion ps -o template={meta.name}      one field of each
)"},
    {"orchion top", R"(
  orchion top                             of this folder's stack, elsewhere of all; q ends it
  orchion top shop/web --sort memory      one service, the largest task first
  orchion top --no-stream -o wide         once, with nodes and processor time
  orchion top -f -o json                  a line of data for each sample
)"},
    {"orchion inspect", R"(
  orchion inspect shop                    a stack
  orchion inspect shop/web                a service
  orchion inspect shop/web.2              what became of a task: when, where, why, by whom
  orchion inspect shop/web.2 --previous   and of those in its place before
  orchion inspect shop/web.2 -o json      the task itself, as data
)"},
    {"orchion scale", R"(
  orchion scale shop/web=3
  orchion scale web=3 db=1                beside the file
)"},
    {"orchion logs", R"(
  orchion logs -f shop/web                follow one service
  orchion logs --since 10m --grep error   of this folder's stack
  orchion logs -n 100 shop/web.2          the end of one task's output
  orchion logs --previous shop/web        of tasks that were replaced, too
  orchion logs --all --level error        what goes wrong anywhere
  orchion logs --field user.id=7 web      of JSON lines
)"},
    {"orchion exec", R"(
  orchion exec -it shop/web.1 -- sh       a shell
  orchion exec shop/db -- pg_isready      one command; its exit code is this one's
)"},
    {"orchion attach", R"(
  orchion attach shop/console             type at what it runs; ctrl-p ctrl-q leaves it running
  orchion attach shop/web.1 --no-stdin    only listen
)"},
    {"orchion cp", R"(
  orchion cp shop/web:/etc/hosts .        a file from a container
  orchion cp ./conf shop/web.1:/etc/app/  a folder into one
  orchion cp shop/db:/data - | tar tv     as an archive
)"},
    {"orchion port-forward", R"(
  orchion port-forward shop/web 8080:80   http://127.0.0.1:8080 is port 80 of a task of shop/web
  orchion port-forward shop/db.1 5432     the same port on both sides
)"},
    {"orchion events", R"(
  orchion events                          what happened
  orchion events -f shop                  in a stack, and what happens from now on
  orchion events shop/web --since 1h      to a service and its tasks
  orchion events --reason TaskRestarted --node attic
)"},
    {"orchion run", R"(
  orchion run alpine:3 -- echo hi         once, in front
  orchion run -it alpine:3 -- sh          a shell in a new container
  orchion run -d -p 8080:80 nginx:1.27    in the background, kept up
  orchion run web -- sh                   a service of the file here, with another command
)"},
    {"orchion restart", R"(
  orchion restart shop/web                new tasks, one by one
  orchion restart                         every service of this folder's stack
)"},
    {"orchion stop", R"(
  orchion stop shop/web
  orchion stop shop                       every service of it
)"},
    {"orchion start", R"(
  orchion start shop/web
  orchion start shop                      every service of it
)"},
    {"orchion rm", R"(
  orchion rm shop/web                     stop and remove one service
  orchion rm shop/web shop/db --yes       without a question
)"},
    {"orchion wait", R"(
  orchion wait shop/db --for healthy
  orchion wait shop/migrate --for completed --timeout 2m
)"},
    {"orchion health", R"(
  orchion health                          of this folder's stack, elsewhere of all
  orchion health shop/web
  orchion health shop/web.1               its checks, what they found lately, what comes next
)"},
};

const Examples kOfMachines = {
    {"orchion node", R"(
  orchion node ls
  orchion node invite                     print the line that lets another machine join
  orchion node drain attic                move its tasks away
)"},
    {"orchion node ls", R"(
  orchion node ls                         each with its state and what it has
  orchion node ls -o wide                 with system, kernel and free disk
)"},
    {"orchion node inspect", R"(
  orchion node inspect attic
  orchion node inspect attic -o json
)"},
    {"orchion node containers", R"(
  orchion node containers attic           Docker's, Podman's and containerd's own
  orchion node containers attic -o json
)"},
    {"orchion node drain", R"(
  orchion node drain attic                before it is switched off
  orchion node activate attic             afterwards
)"},
    {"orchion node activate", R"(
  orchion node activate attic             after `orchion node drain attic`
)"},
    {"orchion node taint", R"(
  orchion node taint big gpu=only:NoSchedule      new tasks alone that tolerate it
  orchion node taint attic weak:NoExecute         those that run there move away, too
  orchion node taint attic weak-                  takes it away
)"},
    {"orchion node label", R"(
  orchion node label attic disk=ssd zone=home
  orchion node label attic zone-                  takes it away
)"},
    {"orchion node reserve", R"(
  orchion node reserve attic --cpus 1 --memory 2g
  orchion node reserve attic --cpus 0             nothing of that any more
)"},
    {"orchion node rebalance", R"(
  orchion node rebalance --dry-run        what would move where, and why
  orchion node rebalance                  after `orchion node join` on another machine
  orchion node rebalance --max-moves 3 --detach
)"},
    {"orchion node invite", R"(
  orchion node invite                     type what it prints on the other machine
  orchion node invite -o json             the same as data
)"},
    {"orchion node join", R"(
  orchion node join 10.0.0.5:4603 TOKEN   the line that `orchion node invite` printed
  orchion node join 10.0.0.5:4603 TOKEN --label disk=ssd --hostname attic
)"},
    {"orchion node rm", R"(
  orchion node rm attic
  orchion node rm attic --force           also while it has tasks
)"},
    {"orchion image", R"(
  orchion image ls
  orchion image pull nginx:1.27
  orchion image import app.tar app:1      what `docker save` wrote
)"},
    {"orchion image ls", R"(
  orchion image ls                        each with its size and the nodes that have it
  orchion image ls -o name
)"},
    {"orchion image pull", R"(
  orchion image pull nginx:1.27
  orchion image pull ghcr.io/me/app:2
)"},
    {"orchion image push", R"(
  orchion image push app:1 registry.home:5000/app:1
  orchion image push app:1 127.0.0.1:5000/app:1 --plain-http
)"},
    {"orchion image import", R"(
  orchion image import app.tar            what `docker save app:1` wrote; the name is in it
  orchion image import rootfs.tar base:1  a root file system
  orchion image import - app:1            from standard input
)"},
    {"orchion image tag", R"(
  orchion image tag app:1 app:stable
  orchion image tag app:1 registry.home:5000/app:1
)"},
    {"orchion image load", R"(
  docker save app:1 | orchion image load
  orchion image load -i app.tar
)"},
    {"orchion image save", R"(
  orchion image save app:1 -o app.tar
  orchion image save app:1 db:2 -o - | docker load
)"},
    {"orchion image login", R"(
  orchion image login ghcr.io -u me       the password is asked for
  orchion image login ghcr.io -u me --password-stdin < token
)"},
    {"orchion image rm", R"(
  orchion image rm app:1
  orchion image rm ghcr.io/me/app:2
)"},
    {"orchion image prune", R"(
  orchion image prune                     what no task uses
  orchion image prune --yes               without a question
)"},
    {"orchion network", R"(
  orchion network policy ls               who may talk to whom
  orchion network policy test shop/web shop/db 5432
)"},
    {"orchion network policy", R"(
  orchion network policy ls               what each is about
  orchion network policy test shop/web shop/db 5432
  orchion network policy inspect shop/db-only
)"},
    {"orchion network policy ls", R"(
  orchion network policy ls               of all stacks
  orchion network policy ls --stack shop -o name
)"},
    {"orchion network policy inspect", R"(
  orchion network policy inspect shop/db-only
  orchion network policy inspect shop/db-only -o json
)"},
    {"orchion network policy test", R"(
  orchion network policy test shop/web shop/db 5432       may web talk to db, and by which rule?
  orchion network policy test 192.0.2.7 shop/web 80       may somebody outside?
  orchion network policy test shop/web api.example.com 443
  orchion network policy test shop/web shop/dns 53/udp
)"},
    {"orchion route", R"(
  orchion route ls                        which requests lead to which service
  orchion route ca > ca.pem
)"},
    {"orchion route ls", R"(
  orchion route ls                        of all stacks
  orchion route ls --stack shop -o wide   with names and priorities
)"},
    {"orchion route ca", R"(
  orchion route ca > ca.pem               whoever trusts it trusts routes with `tls: internal`
  curl --cacert ca.pem https://shop.example.com
)"},
    {"orchion channel", R"(
  orchion channel set ops --webhook https://hooks.example.org/orchion --secret-file ops.key
  orchion channel test ops                does it arrive?
  orchion channel ls
)"},
    {"orchion channel ls", R"(
  orchion channel ls                      where each leads, and how its last message went
  orchion channel ls -o name              their names alone
)"},
    {"orchion channel inspect", R"(
  orchion channel inspect ops             all but its secrets
  orchion channel inspect ops -o json     the same as data
)"},
    {"orchion channel set", R"(
  orchion channel set ops --webhook https://hooks.example.org/orchion --secret-file ops.key
  orchion channel set phone --ntfy https://ntfy.sh --topic my-lab-4711 --on "Task*" --cool-down 1h --recovery
  orchion channel set chat --discord --secret-file url.txt --severity error --group 5m
  orchion channel set mail --email mail.example.org:587 --from lab@example.org --to me@example.org
)"},
    {"orchion channel rm", R"(
  orchion channel rm ops                  with what it hasn't delivered yet
  orchion channel rm ops --progress quiet  and say nothing
)"},
    {"orchion channel test", R"(
  orchion channel test ops                send one message, and say what the receiver answered
  orchion channel test ops -o json        the same as data
)"},
    {"orchion server", R"(
  orchion server                          here, until Ctrl-C
  orchion server --background             start one where none runs
  orchion server --advertise 10.0.0.5     other machines may join
  orchion server --advertise 10.0.0.5 --store etcd://10.0.0.5,10.0.0.6,10.0.0.7 --store-ca ca.pem    one of several
)"},
    {"orchion servers", R"(
  orchion servers                         who is there, and who leads
)"},
    {"orchion backup", R"(
  orchion backup cluster.backup
  orchion backup - | ssh nas 'cat > cluster.backup'
)"},
    {"orchion restore", R"(
  orchion restore cluster.backup          into an empty data folder
  orchion restore cluster.backup --store etcd://127.0.0.1/orchion
)"},
    {"orchion store", R"(
  orchion store export state              of the data folder
  orchion store import state --store etcd://127.0.0.1
)"},
    {"orchion store export", R"(
  orchion store export state              of the data folder, whose server doesn't run
  orchion store export state --store etcd://10.0.0.5,10.0.0.6,10.0.0.7 --store-ca ca.pem
)"},
    {"orchion store import", R"(
  orchion store import state --store etcd://127.0.0.1    every server on it starts with the same --store
)"},
    {"orchion agent", R"(
  orchion agent                           for the cluster that this machine joined
  orchion agent --background
  orchion agent --stop                    its containers run on
)"},
};

const Examples kOfNetworks = {
    {"orchion network", R"(
  orchion network create shop/back --ipv6
  orchion network connect shop/back shop/web --alias front
  orchion network inspect shop/back       who is in it, and at which addresses
  orchion network ls
)"},
    {"orchion network create", R"(
  orchion network create shop/back        with addresses that are free
  orchion network create back --stack shop --internal
  orchion network create lab/net --subnet 10.20.0.0/16 --gateway 10.20.0.254 --ipv6 --mtu 1400
)"},
    {"orchion network ls", R"(
  orchion network ls                      of all stacks, with how many are in each
  orchion network ls --stack shop -o wide
  orchion network ls -o name              their names alone
)"},
    {"orchion network inspect", R"(
  orchion network inspect shop/back       its services and tasks with their addresses
  orchion network inspect shop/back -o template={status.subnet}
)"},
    {"orchion network rm", R"(
  orchion network rm shop/back
  orchion network rm lab/net lab/other    several
)"},
    {"orchion network connect", R"(
  orchion network connect shop/back shop/web
  orchion network connect shop/back shop/web --alias www --alias front
  orchion network connect data/db shop/web -d      another stack's network, without waiting
)"},
    {"orchion network disconnect", R"(
  orchion network disconnect shop/back shop/web
  orchion network disconnect data/db shop/web -d   without waiting
)"},
};

const Examples kOfTools = {
    {"orchion version", R"(
  orchion version                         and the server's, where one answers
  orchion version -o json
)"},
    {"orchion context", R"(
  orchion context add nas http://10.0.0.7:4600 --token-file ~/.orchion-nas
  orchion context use nas
)"},
    {"orchion context ls", R"(
  orchion context ls                      the current one is marked
  orchion context ls -o name
)"},
    {"orchion context show", R"(
  orchion context show                    where the next command would go
  orchion context show -o json
)"},
    {"orchion context add", R"(
  orchion context add nas http://10.0.0.7:4600 --token-file ~/.orchion-nas --use
  orchion context add test unix:/tmp/test/orchion.sock
)"},
    {"orchion context use", R"(
  orchion context use nas
  orchion context use                     this machine's own again
)"},
    {"orchion context rm", R"(
  orchion context rm nas                  its token file stays
)"},
    {"orchion completion", R"(
  source <(orchion completion bash)                                  in ~/.bashrc
  source <(orchion completion zsh)                                   in ~/.zshrc, after compinit
  orchion completion fish > ~/.config/fish/completions/orchion.fish
)"},
    {"orchion man", R"(
  orchion man | man -l -                          read the first page
  orchion man /usr/local/share/man/man1           then `man orchion-up`
)"},
    {"orchion doctor", R"(
  orchion doctor
  orchion doctor --bundle report.tar.gz           for whoever helps; it holds no tokens, keys or values of variables
)"},
    {"orchion bench", R"(
  orchion bench place --nodes nodes.csv --tasks tasks.csv    how well tasks are placed
  orchion bench cluster --nodes 1000 --tasks 100000          how soon they are decided on, durable, and running
)"},
    {"orchion bench cluster", R"(
  orchion bench cluster                                    how soon 10,000 tasks run on 100 nodes that only seem to be
  orchion bench cluster --nodes 5000 --tasks 1000000       a large cluster; it takes minutes and some GiB
  orchion bench cluster --nodes 1000 --tasks 100000 -o json
)"},
    {"orchion bench load", R"(
  orchion bench load                                       how soon heartbeats, watchers, readers and writers are answered
  orchion bench load --nodes 100 --watchers 20 --callers 20 --requests 50 --seconds 5 -o json
)"},
    {"orchion bench place", R"(
  orchion bench place --nodes nodes.csv --tasks tasks.csv --arrivals 1.3          how much of the GPUs is given away
  orchion bench place --nodes nodes.csv --tasks tasks.csv --strategy bin-pack --seed 42 -o json
  orchion bench place --nodes nodes.csv --tasks tasks.csv --arrivals 1.3 --runs 10    the mean of ten orders
  orchion bench place --synthetic 10000           how many decisions a second, on a cluster that is made up
)"},
};

void add(CLI::App& command, const std::string& path) {
  for (const auto* examples : {&kOfStacks, &kOfJobs, &kOfTasks, &kOfMachines, &kOfNetworks, &kOfTools}) {
    if (const auto found = examples->find(path); found != examples->end())
      command.footer("\nExamples:" + found->second);
  }
  for (auto* below : command.get_subcommands([](const CLI::App*) { return true; }))
    add(*below, path + " " + below->get_name());
}

}  // namespace

void add_examples(CLI::App& command) {
  add(command, command.get_name());
}

}  // namespace orchion::cli
