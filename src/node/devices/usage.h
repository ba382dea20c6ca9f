#pragma once

// What a container uses of the machine, whatever runs it: all that is asked for is the pid of its first process.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"

namespace orchion::node::devices {

struct Usage {
  std::uint64_t cpu_nanoseconds = 0;    // since its control group was made
  double cpu_cores = 0;                 // since the sample before
  std::int64_t memory_bytes = 0;        // the working set: without file cache that could be dropped at once
  std::int64_t memory_limit_bytes = 0;  // 0: none
  std::uint64_t network_received_bytes = 0;
  std::uint64_t network_sent_bytes = 0;
  std::uint64_t disk_read_bytes = 0;
  std::uint64_t disk_written_bytes = 0;
  std::uint32_t processes = 0;  // threads included
};

// Two directions: received and sent, or read and written.
struct ByteCounts {
  std::uint64_t in = 0;
  std::uint64_t out = 0;

  bool operator==(const ByteCounts&) const = default;
};

// All links of /proc/PID/net/dev but the loopback. What can't be understood is left out, here and below.
ByteCounts parse_network_devices(std::string_view text);

// All devices of io.stat: "8:0 rbytes=1 wbytes=2 …".
// Source: https://docs.kernel.org/admin-guide/cgroup-v2.html
ByteCounts parse_io_stat(std::string_view text);

// What /proc/PID/stat says about one process; times in clock ticks, memory in pages. nullopt where it isn't such a
// line. Source: proc(5)
struct ProcessStat {
  std::uint64_t cpu_ticks = 0;
  std::int64_t resident_pages = 0;
  std::uint32_t threads = 0;
};
std::optional<ProcessStat> parse_process_stat(std::string_view line);

// Watches one container. Finds the files once; a sample then reads five of them, which takes some tens of
// microseconds. It holds one file descriptor and nothing that would keep the container's namespaces or control groups.
// Blocks; one thread at a time.
//
// Version 1 says too little of the disk (nothing of what is written back later, and on newer kernels nothing at all
// where no limit is set), so there the processes are asked: those that run, which know about the children they waited
// for.
//
// A resource for which the container has no control group of its own (none at all, or the one this process is in) is
// counted by the first process alone; its traffic is 0 in the network namespace of this process.
class UsageProbe {
 public:
  // kNotFound: there is no such process. `root` is "/" on a real machine and a folder of samples in tests.
  static base::Result<UsageProbe> open(std::int64_t pid, const std::filesystem::path& root = "/");

  // `now` is the moment of reading. kNotFound: the process has ended, even where another has its pid by now.
  base::Result<Usage> sample(base::Time now);

  // A rate needs two samples.
  bool has_rate() const { return rates_begun_ > 1; }

 private:
  // A file of a control group; version 0: there is none.
  struct Source {
    std::string path;
    int version = 0;
  };
  struct Sources {
    Source cpu;
    Source memory;
    Source memory_stat;
    Source io_stat;
    Source members;  // the pids of all processes
    Source processes;
    std::int64_t memory_limit_bytes = 0;
  };

  UsageProbe(std::string proc, base::UniqueFd process, Sources sources, bool own_network)
      : proc_(std::move(proc)), process_(std::move(process)), sources_(std::move(sources)), own_network_(own_network) {}

  static Sources find_sources(const std::filesystem::path& root, const std::string& groups);
  bool read_cpu(Usage& usage);
  void read_memory(Usage& usage);
  void read_disk(Usage& usage);
  ByteCounts read_io_of_processes();
  bool read_process(Usage& usage);
  bool read_network(Usage& usage);
  void count_rate(Usage& usage, base::Time now);

  std::string proc_;        // "/proc"
  base::UniqueFd process_;  // the folder /proc/PID: of this process even when the pid has another
  Sources sources_;
  bool own_network_ = false;
  std::string text_;  // the file read last
  int rates_begun_ = 0;
  base::Time sampled_;
  ByteCounts disk_;  // the most that was seen
  std::uint64_t sampled_cpu_ = 0;
  double cores_ = 0;
};

}  // namespace orchion::node::devices
