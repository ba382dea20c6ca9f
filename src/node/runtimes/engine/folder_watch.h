#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/co.h"

namespace orchion::node::runtimes::engine {

// Tells when something in a folder is written, made or renamed. One inotify instance for all folders: users have few.
// One executor.
class FolderWatch : public std::enable_shared_from_this<FolderWatch> {
 public:
  static base::Result<std::shared_ptr<FolderWatch>> open(base::Executor executor);
  explicit FolderWatch(base::Executor executor) : events_(std::move(executor)) {}

  // `changed` is called until the returned token is destroyed. One watch a folder at a time. kNotFound.
  class Token {
   public:
    Token(std::shared_ptr<FolderWatch> watch, int number) : watch_(std::move(watch)), number_(number) {}
    ~Token();
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

   private:
    std::shared_ptr<FolderWatch> watch_;
    int number_;
  };
  base::Result<std::unique_ptr<Token>> watch(const std::filesystem::path& folder, std::function<void()> changed);

 private:
  void arm();
  void read_events();

  boost::asio::posix::stream_descriptor events_;
  std::map<int, std::function<void()>> watched_;
};

}  // namespace orchion::node::runtimes::engine
