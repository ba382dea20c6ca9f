#include "node/logs/log_keeper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "node/logs/sealed_segment.h"
#include "node/logs/segment_file.h"

namespace orchion::node::logs {

namespace {

using base::Result;

constexpr int kNiceness = 10;
constexpr int kLookAgainMs = 10 * 60 * 1000;  // for what has become too old
constexpr const char* kSourceFile = "source";

std::int64_t bytes_in(const std::filesystem::path& folder) {
  std::int64_t total = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto bytes = it->file_size(error);
    if (!error) total += static_cast<std::int64_t>(bytes);
  }
  return total;
}

// When it went is when its source was written.
Result<GoneLog> read_gone(const std::filesystem::path& folder) {
  GoneLog log;
  const auto path = folder / kSourceFile;
  ASSIGN_OR_RETURN(const auto content, base::read_file(path, 64 << 10));
  struct stat info{};
  if (!log.source.ParseFromString(content) || log.source.task_uid() != folder.filename() ||
      ::stat(path.c_str(), &info) != 0)
    return base::fail(base::Code::kDataLoss, fmt::format("{} is damaged", path.string()));
  log.folder = folder;
  log.gone_at =
      base::WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec));
  return log;
}

Result<> write_source(const std::filesystem::path& folder, const v1::LogSource& source, base::WallTime now) {
  const auto path = folder / kSourceFile;
  RETURN_IF_ERROR(base::write_file(path, source.SerializeAsString()));
  const auto since_epoch = now.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const timespec time{seconds.count(), (since_epoch - seconds).count()};
  const timespec times[] = {time, time};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0)
    return base::fail_errno(errno, fmt::format("cannot date {}", path.string()));
  return {};
}

}  // namespace

LogKeeper::LogKeeper(base::Clock& clock, LogKeeperOptions options)
    : clock_(clock),
      options_(std::move(options)),
      changes_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Result<std::unique_ptr<LogKeeper>> LogKeeper::start(base::Clock& clock, LogKeeperOptions options) {
  RETURN_IF_ERROR(base::make_folders(options.folder));
  std::unique_ptr<LogKeeper> keeper(new LogKeeper(clock, std::move(options)));
  if (!keeper->changes_ || !keeper->wake_) return base::fail_errno(errno, "cannot watch captured output");
  RETURN_IF_ERROR(keeper->load());
  keeper->thread_ = std::thread([k = keeper.get()] { k->run(); });
  return keeper;
}

LogKeeper::~LogKeeper() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

// What is damaged is of nobody any more; what can't be read now may be later.
Result<> LogKeeper::load() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(options_.folder, error), end; !error && it != end; it.increment(error)) {
    auto log = read_gone(it->path());
    const bool is_damaged =
        !log && (log.error().code == base::Code::kDataLoss || log.error().code == base::Code::kNotFound);
    if (!log && !is_damaged) return std::unexpected(std::move(log).error());
    if (!log) {
      base::log::warn("kept output is removed: {}", log.error().message);
      RETURN_IF_ERROR(base::remove_tree(it->path()));
      continue;
    }
    const auto uid = log->source.task_uid();
    gone_[uid] = {*std::move(log), bytes_in(it->path())};
    to_seal_.push_back(uid);
  }
  if (error) return base::fail_errno(error.value(), fmt::format("cannot list {}", options_.folder.string()));
  return {};
}

void LogKeeper::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

void LogKeeper::attend(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  const int watch = ::inotify_add_watch(changes_.get(), folder.c_str(), IN_CREATE | IN_ONLYDIR);
  if (watch < 0) {
    if (errno != ENOENT)
      base::log::warn("output in {} stays uncompressed: {}", folder.string(), std::generic_category().message(errno));
    return;
  }
  watched_[watch] = folder;
  grown_.push_back(folder);
  wake();
}

Result<> LogKeeper::keep(const v1::LogSource& source, const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  std::erase_if(watched_, [&](const auto& entry) {
    if (entry.second != folder) return false;
    ::inotify_rm_watch(changes_.get(), entry.first);
    return true;
  });
  auto numbers = list_segments(folder);
  if (!numbers && numbers.error().code == base::Code::kNotFound) return {};
  if (options_.keep_for <= base::Duration::zero() || (numbers && numbers->empty())) return base::remove_tree(folder);
  const auto kept = move_to_gone(source, folder);
  if (kept) return {};
  // A full disk, or a folder on another one. The task must go all the same.
  base::log::warn("what task {} said is not kept: {}", source.task_uid(), kept.error().message);
  return base::remove_tree(folder);
}

Result<> LogKeeper::move_to_gone(const v1::LogSource& source, const std::filesystem::path& folder) {
  const auto now = clock_.wall();
  RETURN_IF_ERROR(write_source(folder, source, now));
  const auto kept = options_.folder / source.task_uid();
  RETURN_IF_ERROR(base::remove_tree(kept));
  if (::rename(folder.c_str(), kept.c_str()) != 0)
    return base::fail_errno(errno, fmt::format("cannot move {}", folder.string()));
  gone_[source.task_uid()] = {{source, kept, now}, bytes_in(kept)};
  to_seal_.push_back(source.task_uid());
  wake();
  return {};
}

std::vector<GoneLog> LogKeeper::gone() const {
  const std::lock_guard lock(mutex_);
  std::vector<GoneLog> logs;
  for (const auto& [uid, gone] : gone_) logs.push_back(gone.log);
  std::ranges::sort(logs, {}, &GoneLog::gone_at);
  return logs;
}

void LogKeeper::finish_work() {
  std::unique_lock lock(mutex_);
  busy_ = true;
  wake();
  done_.wait(lock, [this] { return !busy_; });
}

void LogKeeper::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNiceness);
  while (true) {
    while (work()) {
    }
    forget_old();
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      if (grown_.empty() && to_seal_.empty()) {
        busy_ = false;
        done_.notify_all();
      }
    }
    std::array<pollfd, 2> waits = {{{changes_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), kLookAgainMs);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
    take_changes();
  }
}

// One piece of it. False: there is none.
bool LogKeeper::work() {
  std::filesystem::path folder;
  std::string uid;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
    if (!grown_.empty()) {
      folder = std::move(grown_.front());
      grown_.pop_front();
    } else if (!to_seal_.empty()) {
      uid = std::move(to_seal_.front());
      to_seal_.pop_front();
    } else {
      return false;
    }
  }
  if (!folder.empty()) {
    seal_closed(folder);
  } else {
    seal_gone(uid);
  }
  return true;
}

void LogKeeper::take_changes() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  const std::lock_guard lock(mutex_);
  ssize_t n = 0;
  while ((n = ::read(changes_.get(), buffer.data(), buffer.size())) > 0) {
    for (const char* at = buffer.data(); at < buffer.data() + n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      const bool overflowed = (event->mask & IN_Q_OVERFLOW) != 0;
      const bool is_segment = event->len > 0 && segment_number(event->name);
      for (const auto& [watch, folder] : watched_) {
        const bool grew = overflowed || (is_segment && watch == event->wd);
        if (grew && std::ranges::find(grown_, folder) == grown_.end()) grown_.push_back(folder);
      }
      if ((event->mask & IN_IGNORED) != 0) watched_.erase(event->wd);
    }
  }
}

void LogKeeper::seal_closed(const std::filesystem::path& folder) {
  const auto numbers = list_segments(folder);
  if (!numbers) return;  // gone, or moved to be kept
  for (std::size_t i = 0; i + 1 < numbers->size(); ++i) {
    const auto sealed = seal_segment(folder, (*numbers)[i]);
    if (!sealed) base::log::warn("output stays uncompressed: {}", sealed.error().message);
  }
}

void LogKeeper::seal_gone(const std::string& uid) {
  const auto folder = options_.folder / uid;
  const auto numbers = list_segments(folder);
  if (!numbers) return;
  for (const auto number : *numbers) {
    auto beside = segment_path(folder, number);
    beside += ".sealing";
    ::unlink(beside.c_str());  // of one that was cut off
    const auto sealed = seal_segment(folder, number);
    if (!sealed) base::log::warn("output stays uncompressed: {}", sealed.error().message);
  }
  const auto bytes = bytes_in(folder);
  const std::lock_guard lock(mutex_);
  if (const auto found = gone_.find(uid); found != gone_.end()) found->second.bytes = bytes;
}

// What is too old, then the oldest of what is too much.
void LogKeeper::forget_old() {
  const auto now = clock_.wall();
  std::vector<std::filesystem::path> folders;
  {
    const std::lock_guard lock(mutex_);
    std::vector<const Gone*> newest_first;
    for (const auto& [uid, gone] : gone_) newest_first.push_back(&gone);
    std::ranges::sort(newest_first, std::ranges::greater(), [](const Gone* gone) { return gone->log.gone_at; });
    std::int64_t bytes = 0;
    std::vector<std::string> uids;
    for (std::size_t i = 0; i < newest_first.size(); ++i) {
      const auto& gone = *newest_first[i];
      bytes += gone.bytes;
      if (gone.log.gone_at + options_.keep_for > now && bytes <= options_.bytes_max && i < options_.tasks_max) continue;
      uids.push_back(gone.log.source.task_uid());
      folders.push_back(gone.log.folder);
    }
    for (const auto& uid : uids) gone_.erase(uid);
  }
  for (const auto& folder : folders)
    if (const auto removed = base::remove_tree(folder); !removed)
      base::log::warn("kept output stays: {}", removed.error().message);
}

}  // namespace orchion::node::logs
