#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/context.h"

namespace orchion::cli {

// Whether what goes between machines is encrypted.
struct MeshFlags {
  bool on = false;
  int port = 4604;  // UDP
};

// Whether this machine takes HTTP for services, and where.
struct IngressFlags {
  bool on = false;
  std::string http = "0.0.0.0:80";
  std::string https = "0.0.0.0:443";
};

// Where the state is kept.
struct StoreFlags {
  std::string address;  // "etcd://HOST:PORT,…/PREFIX"; empty: in the data folder
  std::string authority, certificate, key;
  std::string user, password_file;
};

struct ServerFlags {
  StoreFlags store;
  std::string name;  // among the servers of one store
  std::string http = "127.0.0.1:4600";
  std::string grpc = "127.0.0.1:4601";
  std::string advertise;  // HOST or HOST:PORT that other machines reach
  std::string nodes;      // ADDRESS:PORT to listen on for them
  MeshFlags mesh;
  bool no_agent = false;
  std::string executor;     // what runs tasks that ask for nothing; empty: what is found first
  bool background = false;  // start one in the background where none answers, return when it is ready
  bool stop = false;        // end the one that runs on this data folder; its containers run on
  IngressFlags ingress;
  int heartbeat_seconds = 5;
  int lost_seconds = 30;
  bool rebalance = false;  // tasks move by themselves to a node that has come
  std::string log_level = "info";
};

struct AgentFlags {
  std::string hostname;             // empty: the machine's
  std::vector<std::string> labels;  // "name=value"
  std::string advertise;            // where other nodes reach this one
  MeshFlags mesh;
  std::string executor;  // what runs tasks that ask for nothing; empty: what is found first
  IngressFlags ingress;
  bool background = false;  // start it in the background, return when it is ready
  bool stop = false;        // end the one that runs on this data folder; its containers run on
  std::string log_level = "info";
};

struct JoinFlags {
  std::string server;  // HOST:PORT
  std::string token;
  AgentFlags agent;
  bool foreground = false;
};

struct BenchPlaceFlags {
  std::string nodes, tasks;  // CSV files; empty where the load is made up
  int synthetic = 0;         // nodes of a load that is made up; 0: none
  double arrivals = 1;       // GPUs asked for, of those that there are
  std::uint64_t seed = 42;
  int runs = 1;  // with seeds that follow
  std::string strategy = "fragmentation";
};

struct BenchClusterFlags {
  int nodes = 100;
  int tasks = 10'000;
  int replicas = 1000;  // tasks of one service, which has a stack to itself
  int seconds = 900;    // it may take so long
};

struct BenchLoadFlags {
  int nodes = 1000;
  int watchers = 500;
  int writes = 10;  // a second, beside those of the callers; watchers see them all
  int callers = 200;
  int requests = 300;  // a second, of all callers together
  int seconds = 30;
};

// What main gives the command line: the commands that run parts of the system in this process.
// A file with the whole state, from a store that no server uses, or into one.
struct StateFileFlags {
  StoreFlags store;
  std::string file;
};

struct CliHooks {
  std::string version;
  ServerStarter start_server;
  std::function<int(Context&, const ServerFlags&)> server;
  std::function<int(Context&, const AgentFlags&)> agent;
  std::function<int(Context&, const JoinFlags&)> join;
  std::function<int(Context&, const StateFileFlags&)> restore;
  std::function<int(Context&, const StateFileFlags&)> export_store;
  std::function<int(Context&, const StateFileFlags&)> import_store;
  std::function<int(Context&, const BenchPlaceFlags&)> bench_place;
  std::function<int(Context&, const BenchClusterFlags&)> bench_cluster;
  std::function<int(Context&, const BenchLoadFlags&)> bench_load;
};

// The whole program: parses, runs one command, returns the exit code.
int run_cli(int argc, char** argv, const CliHooks& hooks);

}  // namespace orchion::cli
