#pragma once

// One kind of socket for TCP and unix sockets, and its reads and writes. Private to this folder.

#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"

namespace orchion::wire {

using Socket = boost::asio::generic::stream_protocol::socket;

inline constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);

// Bytes that came and weren't understood yet. Grows to `bytes_max` where one head needs it, shrinks when empty.
class Inbox {
 public:
  explicit Inbox(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::string_view data() const { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Room for the next read; empty only when it is full.
  boost::asio::mutable_buffer space() {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == capacity_ && capacity_ < bytes_max_) grow();
    return {bytes_.get() + end_, capacity_ - end_};
  }

  void commit(std::size_t count) { end_ += count; }

 private:
  void grow() {
    const std::size_t wanted = std::min(bytes_max_, std::max<std::size_t>(capacity_ * 4, 4096));
    std::unique_ptr<char[]> larger(new char[wanted]);
    if (end_ > 0) std::memcpy(larger.get(), bytes_.get(), end_);
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }

  std::size_t bytes_max_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::unique_ptr<char[]> bytes_;
};

// Reads once into `inbox`. `socket` and `inbox` must outlive the call.
boost::asio::awaitable<boost::system::error_code> read_some(Socket& socket, Inbox& inbox);

using Pieces = std::array<std::string_view, 3>;

// Writes all pieces, in one system call where the kernel has room (then without a suspension). The socket is in
// non-blocking mode; it and the bytes must outlive the call.
boost::asio::awaitable<boost::system::error_code> write_all(Socket& socket, Pieces pieces);

// What the peer did meanwhile, without reading: nothing, sent something, or went away.
enum class PeerState { kQuiet, kSent, kGone };
PeerState peer_state(Socket& socket);

// "Content-Type: text/plain\r\n" for each; a line break in a value is left out.
void append_headers(const std::vector<std::pair<std::string, std::string>>& headers, std::string& out);

// The size line of a chunk, or its last: "1f\r\n".
std::string chunk_head(std::size_t bytes);

}  // namespace orchion::wire
